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

// chanceTile is a multiple of the elements that the assembly rounds at a time.
const chanceTile = 64

// chance is what all calls of assembly of one kernel have in common.
type chance struct {
	random
	formula     chanceFormula
	elem        asm.Elem
	least, most float32
	format      *description
}

// chanceFormula is which kernel is called.
type chanceFormula uint8

const (
	chanceInt chanceFormula = iota
	chanceFloat
	chanceHalf
)

// run rounds elements to those of size bytes at y. The last ones are in a tile of their own.
func (c *chance) run(y unsafe.Pointer, size uintptr, x []float32) {
	var buf wordBuffer
	for at := 0; at < len(x); at += wordsAtOnce {
		n := min(wordsAtOnce, len(x)-at)
		words, whole := c.fill(&buf, at, n), n/chanceTile*chanceTile
		if whole > 0 {
			c.call(unsafe.Add(y, uintptr(at)*size), &x[at], words, whole)
		}
		if whole < n {
			var in, out [chanceTile]float32
			copy(in[:], x[at+whole:])
			c.call(unsafe.Pointer(&out[0]), &in[0], (*int32)(unsafe.Add(unsafe.Pointer(words), 4*whole)), chanceTile)
			copy(unsafe.Slice((*byte)(unsafe.Add(y, uintptr(at+whole)*size)), uintptr(n-whole)*size), unsafe.Slice((*byte)(unsafe.Pointer(&out[0])), 4*chanceTile))
		}
	}
}

func (c *chance) call(y unsafe.Pointer, x *float32, words *int32, n int) {
	switch c.formula {
	case chanceInt:
		asm.StochasticInt(c.impl, (*float32)(y), x, words, c.least, c.most, n)
	case chanceFloat:
		asm.StochasticFp(c.impl, (*float32)(y), x, words, c.format.largest, c.format.field, 23<<23-c.format.step, n)
	default:
		asm.StochasticHalf(c.impl, c.elem, (*uint16)(y), x, words, n)
	}
}

func stochasticIntAsm(impl isa, y, v []float32, lo, hi float32, r Random) {
	c := chance{random: r.with(impl), formula: chanceInt, least: lo, most: hi}
	c.run(unsafe.Pointer(&y[0]), 4, v)
}

func stochasticFloatAsm(impl isa, y, v []float32, f Format, r Random) {
	c := chance{random: r.with(impl), formula: chanceFloat, format: &formats[f]}
	c.run(unsafe.Pointer(&y[0]), 4, v)
}

func stochasticHalfAsm[T Float](impl isa, y []T, x []float32, r Random) {
	c := chance{random: r.with(impl), formula: chanceHalf, elem: elemOf[T]()}
	c.run(unsafe.Pointer(&y[0]), 2, x)
}
