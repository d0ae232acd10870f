# A thin front over CMake; `make help` lists what there is. One build folder per configuration: build/$(config).
config ?= release
jobs   ?= $(shell nproc)
build  := build/$(config)
demo   := $(build)/purescope attack --t 20,50,100 --steps-reverse 10 -n 24 --steps 10 --rel-step 1/4 --out runs/demo

all: build

help:
	@echo 'make              build the program ($(build)/purescope) and its tests'
	@echo 'make test         run the whole test suite; says what was skipped'
	@echo 'make test-emulated  the suites of networks, attacks and training on the emulated device (slow)'
	@echo 'make demo         attack the built-in images: prints the command, writes runs/demo and its report.html'
	@echo 'make test-report  look at reports in a browser (chromium): overflow, glyphs, empty plots; writes build/report'
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

# The kernels as C++, in memory that the host may not touch, a hundred times slower than the CPU's. Left out: networks of full size, and what asks for
# many passes (chains and their differences but for one of ten steps, the table of planted masks).
emulated_suites := net models diffusion defence attack analysis audit train
emulated_left_out := Golden.DdpmCifar10:Golden.Wrn28x10:Reference.Full*:ChainGolden.*:ChainGradient.HundredSteps:ChainGradient.DpmSolver:ChainGradient.OtherSamplers:ChainGradient.LearnedVariance:ChainGradient.ContinuousTime:FastMath.GradientOfTheWholeChain:Derivative.*:Masks.*
test-emulated: build
	@PURESCOPE_DEVICE=emulated PURESCOPE_THREADS=1 GTEST_FILTER='-$(emulated_left_out)' tools/run_tests $(build) $(jobs) \
	  --tests-regex '^test_($(subst $(eval) ,|,$(strip $(emulated_suites))))_f(32|64)$$'

demo: program
	rm -rf runs/demo
	$(demo)
	@$(build)/purescope report runs/demo -q -o runs/demo/report.html

# Not part of test: it needs a browser (Debian's chromium; tools/setup --browser installs it).
test-report: program
ifneq ($(SETUP),0)
	@tools/setup --browser
endif
	@tools/test_report $(build)/purescope build/report

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
	@cmake --build $(build) -j $(jobs) --target net_bench work_bench
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

.PHONY: all help setup configure build program test test-emulated test-report demo layers cuda cuda-report mutants bench lint format clean
