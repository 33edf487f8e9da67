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
	for i := groups; i%16 != 0; i++ { // what is usual for every type
		r.low[i], r.high[i] = 1, 1
	}
	kind := blockKernels[t]
	asm.BlockParams(impl, kind, &p.minima[0], &p.scales[0], &p.factors[0], &p.checks[0], &r.high[0], &r.low[0], nil, &p.sums[0], (groups+15)/16)
	asm.QuantizeBlocks(impl, kind, &dst[0], &x[0], &r.low[0], &p.factors[0], &p.scales[0], &p.minima[0], units)
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
