package kernels

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/philox"
)

// Words are made by an implementation for some elements at a time, which stay in the L1 cache, and in whole runs of blocks, behind which some more may be
// written.
const (
	wordsAtOnce = 9 * 4 * blocksRun
	blocksRun   = 32
	blocksMore  = 8
)

// wordBuffer has room for words, and for those of the blocks that they begin and end in.
type wordBuffer [wordsAtOnce + 4*(blocksRun+blocksMore) + lineWords]uint32

// lineWords are those of a line of the caches, across which words are not stored.
const lineWords = 16

// random makes words with an implementation.
type random struct {
	Random
	impl isa
}

func (r Random) with(impl isa) random { return random{r, impl} }

// fill makes the words of n elements from at on, n <= wordsAtOnce, and returns where they are.
func (r *random) fill(buf *wordBuffer, at, n int) *int32 {
	first := r.First + uint64(at)
	skip := int(first % 4)
	block, blocks := first/4, (skip+n+4*blocksRun-1)/(4*blocksRun)*blocksRun
	if uint64(uint32(block))+uint64(blocks) > math.MaxUint32 {
		r.words(buf[:n], at)
		return (*int32)(unsafe.Pointer(&buf[0]))
	}
	line := -int(uintptr(unsafe.Pointer(&buf[0]))/4) & (lineWords - 1)
	keys := philox.Stream{Seed: r.Seed, Stream: r.Stream}.Keys(block)
	asm.RandomWords(r.impl, &buf[line], &keys[0], int(block), blocks)
	return (*int32)(unsafe.Pointer(&buf[line+skip]))
}

func stochasticIntAsm(impl isa, y, v []float32, lo, hi float32, r Random) {
	var buf wordBuffer
	w := r.with(impl)
	for at := 0; at < len(v); at += wordsAtOnce {
		n := min(wordsAtOnce, len(v)-at)
		asm.StochasticInt(impl, &y[at], &v[at], w.fill(&buf, at, n), lo, hi, n)
	}
}

func stochasticFloatAsm(impl isa, y, v []float32, f Format, r Random) {
	var buf wordBuffer
	w, d := r.with(impl), &formats[f]
	for at := 0; at < len(v); at += wordsAtOnce {
		n := min(wordsAtOnce, len(v)-at)
		asm.StochasticFp(impl, &y[at], &v[at], w.fill(&buf, at, n), d.largest, d.field, 23<<23-d.step, n)
	}
}

func stochasticHalfAsm[T Float](impl isa, y []T, x []float32, r Random) {
	var buf wordBuffer
	w := r.with(impl)
	for at := 0; at < len(x); at += wordsAtOnce {
		n := min(wordsAtOnce, len(x)-at)
		asm.StochasticHalf(impl, elemOf[T](), (*uint16)(unsafe.Pointer(&y[at])), &x[at], w.fill(&buf, at, n), n)
	}
}
