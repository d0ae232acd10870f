# A thin front over CMake. make | test | demo | layers | mutants | bench | lint | format; config=release|debug|asan
config ?= release
build  := build/$(config)
jobs   ?= $(shell nproc)

all: build
setup:
ifneq ($(SETUP),0)
	@tools/setup
endif
configure: setup
	@cmake -S . -B $(build) -DPURESCOPE_CONFIG=$(config) -DCMAKE_BUILD_TYPE=None >/dev/null
build: configure
	@cmake --build $(build) -j $(jobs)
test: build
	@cd $(build) && ctest --output-on-failure
clean:
	rm -rf build
.PHONY: all setup configure build test clean
