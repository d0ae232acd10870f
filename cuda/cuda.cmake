# The CUDA device. Kernels are compiled by nvcc in two sources per scalar, put together from cuda/*.cu: products of matrices, where a
# multiply and an add may be fused, and everything else, where they may not.
#   PURESCOPE_CUDA=AUTO  the program has the CUDA device if nvcc and a card are found (default)
#                 =ON    it has it; nvcc must be there, a card need not
#                 =OFF   it has not
# Where nvcc is found and the program does not have the device, the target `cuda` (make cuda) builds purescope_cuda beside it, which has:
# the same objects, but those that know of CUDA.
set(PURESCOPE_CUDA AUTO CACHE STRING "AUTO, ON or OFF")
set(PURESCOPE_CUDA_ARCHITECTURES 80 90 CACHE STRING "compute capabilities; the last one also as PTX, for newer cards")
find_program(PURESCOPE_NVCC nvcc HINTS /usr/local/cuda/bin)

set(cuda_in_program OFF)
if(PURESCOPE_CUDA STREQUAL "ON")
  set(cuda_in_program ON)
  if(NOT PURESCOPE_NVCC)
    message(FATAL_ERROR "PURESCOPE_CUDA=ON, but nvcc was not found: install the CUDA toolkit, or name it with -DPURESCOPE_NVCC=PATH")
  endif()
elseif(PURESCOPE_CUDA STREQUAL "AUTO" AND PURESCOPE_NVCC AND EXISTS /dev/nvidiactl)
  set(cuda_in_program ON)
endif()

set(product_kernels conv2d linear attention nin)
set(nvcc_flags -std=c++20 -O3 -lineinfo -I${CMAKE_SOURCE_DIR} -I${CMAKE_SOURCE_DIR}/src -Xcompiler=-Wall,-Wextra,-ffp-contract=off
    -Werror all-warnings)
list(GET PURESCOPE_CUDA_ARCHITECTURES -1 newest)
foreach(arch ${PURESCOPE_CUDA_ARCHITECTURES})
  list(APPEND nvcc_flags -gencode arch=compute_${arch},code=sm_${arch})
endforeach()
list(APPEND nvcc_flags -gencode arch=compute_${newest},code=compute_${newest})

# object = source compiled by nvcc.
function(add_nvcc_object object source)
  add_custom_command(OUTPUT ${object} DEPFILE ${object}.d DEPENDS ${source} VERBATIM
    COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${PURESCOPE_NVCC} ${nvcc_flags} ${ARGN} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    COMMENT "nvcc ${object}")
endfunction()

# A source that includes the kernels named.
function(configure_kernels source)
  set(text "")
  foreach(stem ${ARGN})
    string(APPEND text "#include \"cuda/${stem}.cu\"\n")
  endforeach()
  file(CONFIGURE OUTPUT ${source} CONTENT "${text}")
endfunction()

if(PURESCOPE_NVCC)
  get_filename_component(toolkit ${PURESCOPE_NVCC} REALPATH)
  get_filename_component(toolkit ${toolkit} DIRECTORY)
  find_library(PURESCOPE_CUDART cudart_static HINTS ${toolkit}/../lib64 ${toolkit}/../lib REQUIRED)
  set(cuda_folder ${CMAKE_BINARY_DIR}/nvcc)
  file(MAKE_DIRECTORY ${cuda_folder})
  set(other_kernels ${kernel_stems})
  list(REMOVE_ITEM other_kernels ${product_kernels})
  configure_kernels(${cuda_folder}/products.cu ${product_kernels})
  configure_kernels(${cuda_folder}/values.cu ${other_kernels})
  add_nvcc_object(${cuda_folder}/runtime.o ${CMAKE_SOURCE_DIR}/cuda/runtime.cu)
  set(cuda_objects ${cuda_folder}/runtime.o)
  foreach(scalar f32 f64)
    string(COMPARE EQUAL ${scalar} f64 is_double)
    add_nvcc_object(${cuda_folder}/products_${scalar}.o ${cuda_folder}/products.cu -DPURESCOPE_REAL_IS_DOUBLE=${is_double})
    add_nvcc_object(${cuda_folder}/values_${scalar}.o ${cuda_folder}/values.cu -DPURESCOPE_REAL_IS_DOUBLE=${is_double} --fmad=false)
    list(APPEND cuda_objects ${cuda_folder}/products_${scalar}.o ${cuda_folder}/values_${scalar}.o)
  endforeach()
  add_custom_target(cuda_objects DEPENDS ${cuda_objects})
  set(reports "")
  foreach(scalar f32 f64)
    foreach(arch ${PURESCOPE_CUDA_ARCHITECTURES})
      set(report ${CMAKE_SOURCE_DIR}/tools/cuda_report ${PURESCOPE_NVCC} ${scalar} ${arch})
      list(APPEND reports COMMAND ${report} ${cuda_folder}/products.cu COMMAND ${report} ${cuda_folder}/values.cu --fmad=false)
    endforeach()
  endforeach()
  add_custom_target(cuda_report ${reports} VERBATIM)
  add_library(purescope_cuda_device STATIC EXCLUDE_FROM_ALL ${cuda_objects})
  set_target_properties(purescope_cuda_device PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(purescope_cuda_device INTERFACE purescope_common ${PURESCOPE_CUDART} Threads::Threads ${CMAKE_DL_LIBS} rt)
endif()
