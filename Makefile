# A thin front over CMake; `make help` lists what there is. One build folder per configuration: build/$(config).
config ?= release
jobs   ?= $(shell nproc)
build  := build/$(config)
demo   := $(build)/purescope attack --t 20,50,100 --steps-reverse 10 -n 24 --steps 10 --out runs/demo

all: build

help:
	@echo 'make              build the program ($(build)/purescope) and its tests'
	@echo 'make test         run the whole test suite; says what was skipped'
	@echo 'make demo         attack the built-in images: prints the command, writes runs/demo'
	@echo 'make layers       check who includes whom'
	@echo 'make mutants      plant bugs one by one; each must be caught by a test (only=WORD picks some)'
	@echo 'make cuda         build the program with the CUDA device (needs nvcc); make cuda-report: registers and spills of each kernel'
	@echo 'make bench        time the networks beside PyTorch (rows="..." picks some)'
	@echo 'make lint         clang-tidy and cppcheck, where installed'
	@echo 'make format       clang-format, where installed (files="..." picks some)'
	@echo 'make clean        remove build/'
	@echo 'config=release|debug|asan|verify  jobs=N  SETUP=0 (install nothing)'

setup:
ifneq ($(SETUP),0)
	@tools/setup
endif

configure: setup
	@cmake -S . -B $(build) -DPURESCOPE_CONFIG=$(config) -DCMAKE_BUILD_TYPE=None >/dev/null

build: configure
	@cmake --build $(build) -j $(jobs)

program: configure
	@cmake --build $(build) -j $(jobs) --target purescope

# Suites run side by side, each with one thread of its own; what must hold for several threads, the tests ask for themselves.
test: build
	@PURESCOPE_THREADS=1 tools/run_tests $(build) $(jobs)

demo: program
	rm -rf runs/demo
	$(demo)

layers:
	@tools/layers
	@tools/layers --self-test

# Where no card is found at configuration, the program with the device is build/release/purescope_cuda.
cuda: configure
	@cmake --build $(build) -j $(jobs) --target cuda

cuda-report: configure
	@cmake --build $(build) -j $(jobs) --target cuda_report

mutants: setup
	@JOBS=$(jobs) tests/mutants/run.sh "$(only)"

bench: configure
	@cmake --build $(build) -j $(jobs) --target net_bench
	@tests/bench/compare.sh $(build)/tests/net_bench $(rows)

sources = $(shell git ls-files 'src/*.cpp' 'src/*.h' 'cuda/*.cpp' 'cuda/*.h' 'tests/*.cpp' 'tests/*.h')
files   = $(sources)

lint: configure
	@tools/lint $(build)

format:
	@command -v clang-format >/dev/null || { echo 'format: clang-format is not installed (Debian package clang-format)'; exit 69; }
	@clang-format -i $(files)

clean:
	rm -rf build

.PHONY: all help setup configure build program test demo layers cuda cuda-report mutants bench lint format clean
