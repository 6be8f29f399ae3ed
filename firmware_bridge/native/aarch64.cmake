# For 64-bit Arm Linux: cmake --toolchain aarch64.cmake. The libraries come from Debian's :arm64 packages, installed, or
# unpacked into a folder that -DEDGE_ROOT=FOLDER names.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
if(EDGE_ROOT)
  set(CMAKE_FIND_ROOT_PATH ${EDGE_ROOT})
  set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
endif()
