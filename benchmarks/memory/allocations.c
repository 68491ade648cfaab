/* What a process has on its heap, to be loaded before libc (LD_PRELOAD): how much now, how much at most, and which
   large blocks are alive. glibc only; blocks that are mapped without malloc are not seen. */
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

#define LARGEST 65536 /* large blocks that are remembered */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static atomic_long live, peak;
static atomic_int count;
static size_t least = (size_t)-1;
static size_t size_of[LARGEST];
static void *block_at[LARGEST];

static void *took(void *block, size_t size) {
  if (!block) return block;
  long now = atomic_fetch_add(&live, (long)malloc_usable_size(block)) + (long)malloc_usable_size(block);
  long most = peak;
  while (now > most && !atomic_compare_exchange_weak(&peak, &most, now)) {
  }
  if (size >= least) {
    int index = count++;
    if (index < LARGEST) {
      size_of[index] = size;
      block_at[index] = block;
    }
  }
  return block;
}

static void *gave(void *block) {
  if (!block) return block;
  for (int index = 0; index < count && index < LARGEST; index++) {
    if (block_at[index] == block) block_at[index] = NULL;
  }
  atomic_fetch_sub(&live, (long)malloc_usable_size(block));
  return block;
}

void *malloc(size_t size) { return took(__libc_malloc(size), size); }
void *calloc(size_t number, size_t size) { return took(__libc_calloc(number, size), number * size); }
void *realloc(void *block, size_t size) { return took(__libc_realloc(gave(block), size), size); }
void *memalign(size_t alignment, size_t size) { return took(__libc_memalign(alignment, size), size); }
void *aligned_alloc(size_t alignment, size_t size) { return took(__libc_memalign(alignment, size), size); }
void free(void *block) { __libc_free(gave(block)); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = took(__libc_memalign(alignment, size), size);
  return *block ? 0 : ENOMEM;
}

/* From here on: the peak begins at what there is, and blocks of `size` bytes and more are remembered. */
void watch(size_t size) {
  count = 0;
  peak = live;
  least = size;
}
long live_bytes(void) { return live; }
long peak_bytes(void) { return peak; }
int large_blocks(void) { return count < LARGEST ? count : LARGEST; }
size_t large_block(int index) { return block_at[index] ? size_of[index] : 0; }
