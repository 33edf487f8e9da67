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
	begin, n := from, to-from
	// Where most of a row is wanted, all of it is read, as one call.
	if 4*n >= blocks {
		begin, n = 0, blocks
	}
	outputs := min(l.out, max(8, columnBytes/(16*n)/8*8))
	for o := 0; o < l.out; o += outputs {
		outputs := min(outputs, l.out-o)
		codes, scale := lend[uint8](&s.codes, outputs*n*16), lend[uint8](&s.stored, outputs*n)
		row := expert*l.out + o
		if n == blocks {
			if err := read(l.codes, codes, int64(row)*int64(blocks)*16); err != nil {
				return err
			}
			if err := read(l.scale, scale, int64(row)*int64(blocks)); err != nil {
				return err
			}
		} else {
			for r := range outputs {
				at := int64(row+r)*int64(blocks) + int64(begin)
				if err := read(l.codes, codes[r*n*16:][:n*16], at*16); err != nil {
					return err
				}
				if err := read(l.scale, scale[r*n:][:n], at); err != nil {
					return err
				}
			}
		}
		var four []uint8 // blocks of each output: what lies a power of two apart is driven from the caches
		for b := from; b < to; b++ {
			if (b-from)%4 == 0 {
				four = lend[uint8](&s.table, outputs*64)
				for r := range outputs {
					copy(four[64*r:][:64], codes[(r*n+b-begin)*16:(r*n+min(b-begin+4, n))*16])
				}
			}
			block := mxBlock{codes: four[(b-from)%4*16:], scale: scale[b-begin:], stride: n, outputs: outputs}
			for i := max(32*b, first); i < min(32*b+32, first+inputs); i++ {
				readInput(&block, s, dst[(i-first)*l.out+o:][:outputs], i-32*b)
			}
		}
	}
	return nil
}

// mxBlock is a block of 32 inputs of some outputs.
type mxBlock struct {
	codes, scale []uint8 // from the first output's on; the next one's are 64 bytes behind, and so many of the scales
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
	words := (b.outputs + 7) / 8
	b.streams = lend[uint8](&s.bytes, 32*4*words)
	var square [8]uint32
	for r := 0; r < b.outputs; r += 8 {
		for w := range 4 {
			for j := range square {
				square[j] = 0
				if r+j < b.outputs {
					square[j] = binary.LittleEndian.Uint32(b.codes[(r+j)*64+4*w:])
				}
			}
			transposeNibbles(&square)
			for k, word := range square {
				binary.LittleEndian.PutUint32(b.streams[((8*w+k)*words+r/8)*4:], word)
			}
		}
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
			c := b.codes[r*64+input/2] >> (input % 2 * 4) & 15
			wide[r] = float32(math.Ldexp(float64(fp4.E2M1(c).Float32()), int(b.scale[r*b.stride])-127))
		}
		narrow(dst, wide)
		return
	}
	codes := b.streams[input*((b.outputs+7)/8)*4:]
	kernels.DequantizeFloat(dst, codes[:(len(dst)+1)/2], kernels.Grid{Rows: 1, Groups: len(dst), Len: 1}, &kernels.FloatParams{Format: kernels.E2M1Packed, Scale: b.scales})
}
