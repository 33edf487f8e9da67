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

// chanceTile is a multiple of the elements that the assembly rounds at a time. The last elements of a call are in a tile of their own.
const chanceTile = 64

// lastTile is such a tile.
type lastTile [chanceTile]float32

// fill sets the tile to elements, and returns where they are.
func (t *lastTile) fill(x []float32) *float32 {
	copy(t[:], x)
	return &t[0]
}

// behind returns where the words of elements that follow n others are.
func behind(words *int32, n int) *int32 { return (*int32)(unsafe.Add(unsafe.Pointer(words), 4*n)) }

// Each of these calls its kernel by name: a program links no other.

func stochasticIntAsm(impl isa, y, v []float32, lo, hi float32, r Random) {
	var buf wordBuffer
	w := r.with(impl)
	for at := 0; at < len(v); at += wordsAtOnce {
		n := min(wordsAtOnce, len(v)-at)
		words, whole := w.fill(&buf, at, n), n/chanceTile*chanceTile
		if whole > 0 {
			asm.StochasticInt(impl, &y[at], &v[at], words, lo, hi, whole)
		}
		if whole < n {
			var in, out lastTile
			asm.StochasticInt(impl, &out[0], in.fill(v[at+whole:]), behind(words, whole), lo, hi, chanceTile)
			copy(y[at+whole:], out[:n-whole])
		}
	}
}

func stochasticFloatAsm(impl isa, y, v []float32, f Format, r Random) {
	var buf wordBuffer
	w, d := r.with(impl), &formats[f]
	for at := 0; at < len(v); at += wordsAtOnce {
		n := min(wordsAtOnce, len(v)-at)
		words, whole := w.fill(&buf, at, n), n/chanceTile*chanceTile
		if whole > 0 {
			asm.StochasticFp(impl, &y[at], &v[at], words, d.largest, d.field, 23<<23-d.step, whole)
		}
		if whole < n {
			var in, out lastTile
			asm.StochasticFp(impl, &out[0], in.fill(v[at+whole:]), behind(words, whole), d.largest, d.field, 23<<23-d.step, chanceTile)
			copy(y[at+whole:], out[:n-whole])
		}
	}
}

func stochasticHalfAsm[T Float](impl isa, y []T, x []float32, r Random) {
	var buf wordBuffer
	w := r.with(impl)
	for at := 0; at < len(x); at += wordsAtOnce {
		n := min(wordsAtOnce, len(x)-at)
		words, whole := w.fill(&buf, at, n), n/chanceTile*chanceTile
		if whole > 0 {
			asm.StochasticHalf(impl, elemOf[T](), (*uint16)(unsafe.Pointer(&y[at])), &x[at], words, whole)
		}
		if whole < n {
			var in lastTile
			var out [chanceTile]T
			asm.StochasticHalf(impl, elemOf[T](), (*uint16)(unsafe.Pointer(&out[0])), in.fill(x[at+whole:]), behind(words, whole), chanceTile)
			copy(y[at+whole:], out[:n-whole])
		}
	}
}
