/* Burns CPU in a known split: heavy 70 %, medium 20 %, light (under a recursion) 10 %. */
#include <stdint.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile uint64_t sink;

static inline void burn(long n) {
    for (long i = 0; i < n; i++)
        sink += i;
}

NOINLINE void heavy(long n) { burn(7 * n); }
NOINLINE void medium(long n) { burn(2 * n); }
NOINLINE void light(long n) { burn(n); }

NOINLINE void recurse(int depth, long n) {
    if (depth)
        recurse(depth - 1, n);
    else
        light(n);
    sink++; /* keeps the calls above from becoming jumps */
}

int main(void) {
    /* Rounds are short and of random length, so that they never keep step with the sampling. */
    uint32_t random = 1;
    for (int round = 0; round < 25000; round++) {
        random = random * 1664525u + 1013904223u;
        long n = 500 + (random >> 16) % 1000;
        heavy(n);
        medium(n);
        recurse(5, n);
    }
    return 0;
}
