package checkpoint

import (
	"encoding/binary"
	"math"
	"slices"

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
		var some []uint8 // blocks of each output: what lies a power of two apart is driven from the caches
		for b := range n {
			if b%mxBlocks == 0 {
				some = lend[uint8](&s.table, mxStride*outputs)
				for r := range outputs {
					copy(some[mxStride*r:][:mxStride], codes[(r*n+b)*16:(r*n+min(b+mxBlocks, n))*16])
				}
			}
			block := mxBlock{codes: some[b%mxBlocks*16:], scale: scale[b:], stride: n, outputs: outputs}
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
	codes, scale []uint8 // from the first output's on; the next one's are mxStride bytes behind, and so many of the scales
	stride       int
	outputs      int

	ready   bool
	wide    bool      // some scale is 2^128
	scales  []float32 // of each output
	streams []uint8   // of each input, the outputs' codes
}

// prepare gathers the codes of each input, eight inputs and eight outputs at a time.
func (b *mxBlock) prepare(s *scratch) {
	b.ready = true
	bytes := lend[uint8](&s.zero, b.outputs)
	for r := range bytes {
		bytes[r] = b.scale[r*b.stride]
	}
	if b.wide = slices.Contains(bytes, 255); b.wide {
		return
	}
	b.scales = lend[float32](&s.scale, b.outputs)
	kernels.DecodeE8M0(b.scales, as[fp8.E8M0](bytes))
	b.streams = lend[uint8](&s.bytes, 32*mxStream)
	for r := 0; r < b.outputs; r += 8 {
		for half := range 2 { // sixteen inputs of eight outputs
			low, high := b.streams[16*half*mxStream+r/2:], b.streams[(16*half+8)*mxStream+r/2:]
			if r+8 <= b.outputs {
				mxSquare((*[7*mxStream + 4]uint8)(low), (*[7*mxStream + 4]uint8)(high), (*[7*mxStride + 8]uint8)(b.codes[r*mxStride+8*half:]))
				continue
			}
			var codes [7*mxStride + 8]uint8
			for j := range b.outputs - r {
				copy(codes[j*mxStride:][:8], b.codes[(r+j)*mxStride+8*half:])
			}
			mxSquare((*[7*mxStream + 4]uint8)(low), (*[7*mxStream + 4]uint8)(high), &codes)
		}
	}
}

// mxSquare gathers the codes of sixteen inputs of eight outputs, of the first eight inputs and of the others.
func mxSquare(low, high *[7*mxStream + 4]uint8, codes *[7*mxStride + 8]uint8) {
	var square [8]uint64
	for j := range square {
		square[j] = binary.LittleEndian.Uint64(codes[mxStride*j:])
	}
	transposeNibbles(&square)
	for k, v := range square {
		binary.LittleEndian.PutUint32(low[k*mxStream:], uint32(v))
		binary.LittleEndian.PutUint32(high[k*mxStream:], uint32(v>>32))
	}
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
			wide[r] = float32(math.Ldexp(float64(fp4.E2M1(c).Float32()), int(b.scale[r*b.stride])-127))
		}
		narrow(dst, wide)
		return
	}
	codes := b.streams[input*mxStream:]
	kernels.DequantizeFloat(dst, codes[:(len(dst)+1)/2], kernels.Grid{Rows: 1, Groups: len(dst), Len: 1}, &kernels.FloatParams{Format: kernels.E2M1Packed, Scale: b.scales})
}
