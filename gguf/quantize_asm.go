package gguf

import (
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
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
}{
	Q8_0: {asm.BlockQ8_0, 0}, Q4_0: {asm.BlockQ4_0, -1. / 8}, Q5_0: {asm.BlockQ4_0, -1. / 16}, Q4_1: {asm.BlockQ4_1, 15}, Q5_1: {asm.BlockQ4_1, 31}, MXFP4: {asm.BlockMXFP4, 0}, NVFP4: {asm.BlockNVFP4, 0},
}

// quantizeSimple quantizes to a type whose scales need no search. Blocks that are out of the ordinary, and those that are too few for generated
// code, are left to the portable code, which is the oracle.
func (s *scratch) quantizeSimple(dst []byte, x []float32, t Type) {
	impl := isa.Current()
	units := len(x) / writtenAtOnce
	r, p := &s.ranges, &s.written
	if impl == asm.Generic || units == 0 {
		r.quantizePortable(dst, x, t)
		return
	}
	length, block, size := 32, t.BlockLen(), t.BlockBytes()
	if t == NVFP4 {
		length = 16
	}
	whole := units * writtenAtOnce
	groups := whole / length
	r.find(x[:whole], length)
	if t == Q4_0 || t == Q5_0 {
		r.untie(x, groups)
	}
	for i := groups; i%16 != 0; i++ { // what is usual for every type
		r.low[i], r.high[i] = 1, 1
	}
	params := paramKernels[t]
	for i := range p.levels {
		p.levels[i] = params.levels
	}
	asm.BlockParams(impl, params.kind, &p.minima[0], &p.scales[0], &p.factors[0], &p.checks[0], &r.high[0], &r.low[0], &p.levels[0], &p.sums[0], (groups+15)/16)
	asm.QuantizeBlocks(impl, blockKernels[t], &dst[0], &x[0], &r.low[0], &p.factors[0], &p.scales[0], &p.minima[0], units)
	unusual := false
	for _, sum := range p.sums {
		unusual = unusual || sum != sum
	}
	if unusual {
		done := -1
		for i, check := range p.checks[:groups] {
			if b := i * length / block; check != check && b != done {
				r.quantizePortable(dst[size*b:][:size], x[block*b:][:block], t)
				done = b
			}
		}
	}
	if whole < len(x) {
		r.quantizePortable(dst[t.Bytes(whole):], x[whole:], t)
	}
}

// untie leaves groups of 32 whose largest magnitude has either sign the range on that side only where it is first.
func (r *ranges) untie(x []float32, groups int) {
	for g, low := range r.low[:groups] {
		high := r.high[g]
		if low != -high || high == 0 {
			continue
		}
		for _, v := range x[32*g:][:32] {
			if v == high {
				r.low[g] = 0
				break
			}
			if v == low {
				r.high[g] = 0
				break
			}
		}
	}
}
