package gguf

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
)

// writtenAtOnce is the number of elements of which generated code writes blocks at a time.
const writtenAtOnce = 128

// writtenParams are the parameters of a piece's groups, as generated code finds and takes them.
type writtenParams struct {
	factors [pieceLen / 16]float32
	checks  [pieceLen / 16]float32  // NaN for a group that is out of the ordinary
	scales  [4 * pieceLen / 16]byte // of float16, or an int32 for each byte of a block
	minima  [2 * pieceLen / 16]byte // of float16
	sums    [16]float32             // of the checks
	levels  [16]float32             // what BlockParams asks for
}

// paramKernels are those of asm.BlockParams that find the parameters of types, and what they ask for.
var paramKernels = [...]struct {
	kind   asm.Block
	levels float32
	ends   ends
}{
	Q8_0: {asm.BlockQ8_0, 0, magnitude}, MXFP4: {asm.BlockMXFP4, 0, magnitude}, NVFP4: {asm.BlockNVFP4, 0, magnitude},
	Q4_0: {asm.BlockQ4_0, -1. / 8, aboutZero}, Q5_0: {asm.BlockQ4_0, -1. / 16, aboutZero},
	Q4_1: {asm.BlockQ4_1, 15, minMax}, Q5_1: {asm.BlockQ4_1, 31, minMax},
}

// ends says what parameters need to know of what the elements of a group are between: the less, the sooner it is found.
type ends int

const (
	magnitude ends = iota // both are the largest magnitude
	aboutZero             // the least element or 0, and the greatest or 0
	minMax
)

// quantizeSimple quantizes a piece to a type whose scales need no search. Blocks that are out of the ordinary, and those that are too few for
// generated code, are left to the portable code, which is the oracle.
func quantizeSimple[T kernels.Float](s *scratch, dst []byte, src []T, t Type) {
	impl := isa.Current()
	units := len(src) / writtenAtOnce
	r, p := &s.ranges, &s.written
	if impl == asm.Generic || units == 0 {
		r.quantizePortable(dst, widen(s.wide[:len(src)], src), t)
		return
	}
	length, block, size := 32, t.BlockLen(), t.BlockBytes()
	if t == NVFP4 {
		length = 16
	}
	whole := units * writtenAtOnce
	groups := whole / length
	params := paramKernels[t]
	low, high := findRanges(impl, s, src[:whole], length, params.ends)
	x := widen(s.wide[:len(src)], src)
	for i := groups; i%16 != 0; i++ { // what is usual for every type
		low[i], high[i] = 1, 1
	}
	for i := range p.levels {
		p.levels[i] = params.levels
	}
	find := func(first, rows int) {
		asm.BlockParams(impl, params.kind, &p.minima[2*first], &p.scales[2*first], &p.factors[first], &p.checks[first], &high[first], &low[first], &p.levels[0], &p.sums[0], rows)
	}
	find(0, (groups+15)/16)
	sums := p.sums
	unusual := func(visit func(i int)) {
		for lane, sum := range sums {
			if sum == sum {
				continue
			}
			sums[lane] = 0
			for i := lane; i < groups; i += len(sums) {
				if p.checks[i] != p.checks[i] {
					visit(i)
					sums[lane] += p.checks[i]
				}
			}
		}
	}
	if t == Q4_0 || t == Q5_0 {
		unusual(func(i int) {
			if r.untie(x, i) {
				find(i&^15, 1)
			}
		})
	}
	asm.QuantizeBlocks(impl, blockKernels[t], &dst[0], &x[0], &low[0], &p.factors[0], &p.scales[0], &p.minima[0], units)
	unusual(func(i int) {
		b := i * length / block
		r.quantizePortable(dst[size*b:][:size], x[block*b:][:block], t)
	})
	if whole < len(x) {
		r.quantizePortable(dst[t.Bytes(whole):], x[whole:], t)
	}
}

// findRanges finds by generated code what the groups of a piece are between. It is NaN for a group that has one.
func findRanges[T kernels.Float](impl asm.ISA, s *scratch, src []T, length int, what ends) (low, high *[pieceLen / 16]float32) {
	low, high = &s.ranges.low, &s.ranges.high
	n, elem, x := len(src)/length, asm.F32, unsafe.Pointer(&src[0])
	switch any(*new(T)).(type) {
	case float16.Float16:
		elem = asm.F16
	case bf16.BFloat16:
		elem = asm.BF16
	}
	switch {
	case what == magnitude:
		asm.AbsMax[T](impl, elem, x, &high[0], n, length)
		return high, high
	case what == aboutZero:
		asm.Reach[T](impl, elem, x, &low[0], &high[0], n, length)
	case elem == asm.F32:
		asm.MinMaxF32(x, unsafe.Pointer(low), unsafe.Pointer(high), n, length, impl)
	default: // the ends are some of the elements
		lows, highs := &s.ends[0], &s.ends[len(s.ends)/2]
		asm.MinMax[T](impl, elem, x, unsafe.Pointer(lows), unsafe.Pointer(highs), n, length)
		asm.Decode(impl, elem, &low[0], lows, n, 0)
		asm.Decode(impl, elem, &high[0], highs, n, 0)
	}
	return low, high
}

// untie leaves a group of 32 whose largest magnitude has either sign the range on that side only where it is first. It tells whether it is such a group.
func (r *ranges) untie(x []float32, g int) bool {
	low, high := r.low[g], r.high[g]
	if low != -high {
		return false
	}
	for _, v := range x[32*g:][:32] {
		if v == high {
			r.low[g] = 0
			return true
		}
		if v == low {
			break
		}
	}
	r.high[g] = 0
	return true
}
