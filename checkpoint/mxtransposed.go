package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
)

// transposedMX are the experts of gpt-oss: codes [experts, out, in/32, 16], two e2m1 to a byte, the first in the low nibble; scales
// [experts, out, in/32], exponents of powers of two. The tensor is [experts, in, out].
//
//	w[e][i][o] = e2m1 * 2^(scale - 127)
type transposedMX struct {
	codes, scale     Stored
	experts, in, out int
}

func (l *transposedMX) step() int { return 32 }

// readTransposedMX reads rows.
func readTransposedMX[T kernels.Float](l *transposedMX, s *scratch, dst []T, first int) error {
	for len(dst) > 0 {
		expert, i := first/l.in, first%l.in
		n := min(len(dst)/l.out, l.in-i)
		if err := readExpert(l, s, dst[:n*l.out], expert, i); err != nil {
			return err
		}
		dst, first = dst[n*l.out:], first+n
	}
	return nil
}

// readExpert reads the inputs of an expert from one on.
func readExpert[T kernels.Float](l *transposedMX, s *scratch, dst []T, expert, first int) error {
	inputs := len(dst) / l.out
	blocks := l.in / 32
	from, to := first/32, (first+inputs+31)/32
	n := to - from
	for o := 0; o < l.out; o += mxOutputs {
		outputs := min(mxOutputs, l.out-o)
		codes, scale := lend[uint8](&s.codes, outputs*n*16), lend[uint8](&s.stored, outputs*n)
		row := expert*l.out + o
		if err := readColumns(l.codes, s, codes, row, outputs, 16*blocks, 16*from, 16*n); err != nil {
			return err
		}
		if err := readColumns(l.scale, s, scale, row, outputs, blocks, from, n); err != nil {
			return err
		}
		// Blocks of each output, and outputs of each block: what lies a power of two apart is driven from the caches.
		some, exponents := lend[uint8](&s.table, mxStride*outputs), lend[uint8](&s.zero, mxBlocks*mxOutputs)
		for b := range n {
			if b%mxBlocks == 0 {
				for r := range outputs {
					at, end := r*n+b, r*n+min(b+mxBlocks, n)
					copy(some[mxStride*r:][:mxStride], codes[at*16:end*16])
					for k, e := range scale[at:end] {
						exponents[k*mxOutputs+r] = e
					}
				}
			}
			block := mxBlock{codes: some[b%mxBlocks*16:], exponents: exponents[b%mxBlocks*mxOutputs:][:outputs]}
			input := 32 * (from + b)
			for i := max(input, first); i < min(input+32, first+inputs); i++ {
				readInput(&block, s, dst[(i-first)*l.out+o:][:outputs], i-input)
			}
		}
	}
	return nil
}

// How many outputs are worked on at a time, and how many blocks of each are fetched together, in so many bytes: two cache lines. The codes of an
// input lie so many bytes apart from those of the next.
const (
	mxOutputs = 1024
	mxBlocks  = 8
	mxStride  = 16 * mxBlocks
	mxStream  = mxOutputs/2 + 64
)

// mxBlock is a block of 32 inputs of some outputs.
type mxBlock struct {
	codes     []uint8 // from the first output's on; the next one's are mxStride bytes behind
	exponents []uint8 // of each output's scale

	ready   bool
	wide    bool      // some scale is 2^128
	scales  []float32 // of each output
	streams []uint8   // of each input, the outputs' codes
}

// prepare gathers the codes of each input, sixteen inputs and eight outputs at a time.
func (b *mxBlock) prepare(s *scratch) {
	b.ready = true
	if b.wide = bytes.IndexByte(b.exponents, 255) >= 0; b.wide {
		return
	}
	outputs := len(b.exponents)
	b.scales = lend[float32](&s.scale, outputs)
	kernels.DecodeE8M0(b.scales, as[fp8.E8M0](b.exponents))
	b.streams = lend[uint8](&s.bytes, 32*mxStream)
	for r := 0; r < outputs; r += 8 {
		codes := b.codes[r*mxStride:]
		if r+8 > outputs {
			var eight [8 * mxStride]uint8
			for j := range outputs - r {
				copy(eight[j*mxStride:][:16], codes[j*mxStride:])
			}
			codes = eight[:]
		}
		for half := range 2 { // sixteen inputs
			mxSquare((*[15*mxStream + 4]uint8)(b.streams[16*half*mxStream+r/2:]), (*[7*mxStride + 8]uint8)(codes[8*half:]))
		}
	}
}

// mxSquare gathers the codes of sixteen inputs of eight outputs.
func mxSquare(to *[15*mxStream + 4]uint8, codes *[7*mxStride + 8]uint8) {
	eight := func(j int) uint64 { return binary.LittleEndian.Uint64(codes[mxStride*j:]) }
	put := func(k int, v uint64) {
		binary.LittleEndian.PutUint32(to[k*mxStream:], uint32(v))
		binary.LittleEndian.PutUint32(to[(k+8)*mxStream:], uint32(v>>32))
	}
	a, b, c, d, e, f, g, h := transposeNibbles(eight(0), eight(1), eight(2), eight(3), eight(4), eight(5), eight(6), eight(7))
	put(0, a)
	put(1, b)
	put(2, c)
	put(3, d)
	put(4, e)
	put(5, f)
	put(6, g)
	put(7, h)
}

// readInput gives the values of all outputs for one of the inputs.
func readInput[T kernels.Float](b *mxBlock, s *scratch, dst []T, input int) {
	if !b.ready {
		b.prepare(s)
	}
	if b.wide {
		wide := lend[float32](&s.values, len(dst))
		for r := range wide {
			c := b.codes[r*mxStride+input/2] >> (input % 2 * 4) & 15
			wide[r] = float32(math.Ldexp(float64(fp4.E2M1(c).Float32()), int(b.exponents[r])-127))
		}
		narrow(dst, wide)
		return
	}
	codes := b.streams[input*mxStream:]
	kernels.DequantizeFloat(dst, codes[:(len(dst)+1)/2], kernels.Grid{Rows: 1, Groups: len(dst), Len: 1}, &kernels.FloatParams{Format: kernels.E2M1Packed, Scale: b.scales})
}
