/* Hides a processor's instructions for AES and SHA from a process that it is preloaded into (LD_PRELOAD). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/auxv.h>

enum { AES = 1 << 3, PMULL = 1 << 4, SHA1 = 1 << 5, SHA2 = 1 << 6 }; /* of AT_HWCAP on 64-bit Arm */

unsigned long getauxval(unsigned long type)
{
    unsigned long (*real)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(RTLD_NEXT, "getauxval");
    unsigned long value = real(type);
    return type == AT_HWCAP ? value & ~(unsigned long)(AES | PMULL | SHA1 | SHA2) : value;
}
