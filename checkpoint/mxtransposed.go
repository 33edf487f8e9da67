package checkpoint

import (
	"bytes"
	"math"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
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
	stride := streamStride(mxOutputs / 8)
	for o := 0; o < l.out; o += mxOutputs {
		outputs := min(mxOutputs, l.out-o)
		codes, scale := lend[uint32](&s.codes, outputs*n*4), lend[uint8](&s.stored, outputs*n)
		row := expert*l.out + o
		if err := readColumns(l.codes, s, codes, row, outputs, 4*blocks, 4*from, 4*n); err != nil {
			return err
		}
		if err := readColumns(l.scale, s, scale, row, outputs, blocks, from, n); err != nil {
			return err
		}
		// What was a stream for each output is one for each input.
		streams, exponents := lend[uint32](&s.table, 32*mxBlocks*stride), lend[uint8](&s.zero, outputs)
		for b := range n {
			if b%mxBlocks == 0 {
				transposeNibbles(s, streams, stride, codes[4*b:], 4*n, outputs, 4*min(mxBlocks, n-b), &mxNibble)
			}
			for r := range exponents {
				exponents[r] = scale[r*n+b]
			}
			block := mxBlock{streams: streams[b%mxBlocks*32*stride:], stride: stride, exponents: exponents}
			block.prepare(s)
			input := 32 * (from + b)
			for i := max(input, first); i < min(input+32, first+inputs); i++ {
				readInput(&block, s, dst[(i-first)*l.out+o:][:outputs], i-input)
			}
		}
	}
	return nil
}

// How many outputs are worked on at a time, and how many blocks of each.
const (
	mxOutputs = 1024
	mxBlocks  = tileCols / 4
)

// mxNibble is where a word has each of its eight inputs.
var mxNibble = [8]int{0, 1, 2, 3, 4, 5, 6, 7}

// mxBlock is a block of 32 inputs of some outputs.
type mxBlock struct {
	streams   []uint32 // of each input, the outputs' codes
	stride    int
	exponents []uint8   // of each output's scale
	scales    []float32 // nil if some scale is 2^128, which no float32 has
}

// prepare decodes the scales.
func (b *mxBlock) prepare(s *scratch) {
	if bytes.IndexByte(b.exponents, 255) < 0 {
		b.scales = lend[float32](&s.scale, len(b.exponents))
		kernels.DecodeE8M0(b.scales, as[fp8.E8M0](b.exponents))
	}
}

// readInput gives the values of all outputs for one of the inputs.
func readInput[T kernels.Float](b *mxBlock, s *scratch, dst []T, input int) {
	stream := b.streams[input*b.stride:][:(len(dst)+7)/8]
	if b.scales == nil {
		wide := lend[float32](&s.values, len(dst))
		for r := range wide {
			c := stream[r/8] >> (r % 8 * 4) & 15
			wide[r] = float32(math.Ldexp(float64(fp4.E2M1(c).Float32()), int(b.exponents[r])-127))
		}
		narrow(dst, wide)
		return
	}
	toggleEndian(stream)
	kernels.DequantizeFloat(dst, bytesOf(stream)[:(len(dst)+1)/2], kernels.Grid{Rows: 1, Groups: len(dst), Len: 1}, &kernels.FloatParams{Format: kernels.E2M1Packed, Scale: b.scales})
}

// resolveMXFP4 finds the experts of gpt-oss: X_blocks and X_scales.
func (r *resolver) resolveMXFP4() {
	for _, name := range r.owners("_blocks", "_scales") {
		blocks, scales := name+"_blocks", name+"_scales"
		if r.config.quant == nil {
			_, both := r.storedAs(scales)
			if s, ok := r.storedAs(blocks); !ok || !both || s.DType != safetensors.U8 {
				continue
			}
		}
		b := r.begin(name, methodMXFP4, "mxfp4")
		b.scheme.Bits, b.scheme.Rows, b.scheme.Cols = 4, 32, 1
		b.resolveMXFP4(blocks, scales)
		b.end(blocks, scales)
	}
}

func (b *builder) resolveMXFP4(blocks, scales string) {
	codes, ok := b.need(Codes, blocks, safetensors.U8)
	if !ok {
		return
	}
	scale, ok := b.need(Scale, scales, safetensors.U8, safetensors.F8_E8M0)
	if !ok {
		return
	}
	if n := len(codes.dims()); n != 4 || codes.dims()[3] != 16 {
		b.fail(codes.Name, "has the shape %s, want four axes, the last of 16 bytes", shapeText(codes.dims()))
		return
	}
	if !b.wantShape(scale, codes.dims()[:3]...) {
		return
	}
	l := &transposedMX{codes: codes, scale: scale, experts: codes.dims()[0], in: 32 * codes.dims()[2], out: codes.dims()[1]}
	b.done([]int{l.experts, l.in, l.out}, l, 0)
}
