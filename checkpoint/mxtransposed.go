package checkpoint

import (
	"math"
	"sync"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
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
	table := mxTable[T]()
	for len(dst) > 0 {
		expert, i := first/l.in, first%l.in
		n := min(len(dst)/l.out, l.in-i)
		if err := readExpert(l, s, dst[:n*l.out], table, expert, i); err != nil {
			return err
		}
		dst, first = dst[n*l.out:], first+n
	}
	return nil
}

// readExpert reads the inputs of an expert from one on.
func readExpert[T kernels.Float](l *transposedMX, s *scratch, dst []T, table *[256][16]T, expert, first int) error {
	inputs := len(dst) / l.out
	blocks := l.in / 32
	begin, end := first/32, (first+inputs+31)/32
	n := end - begin
	// Where most of a row is wanted, all of it is read, as one call.
	if 4*n >= blocks {
		begin, n = 0, blocks
	}
	const tile = 32 // outputs whose values fill a cache line of each input
	outputs := min(l.out, max(tile, columnBytes/(16*n)/tile*tile))
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
		for from := 0; from < outputs; from += tile {
			to := min(from+tile, outputs)
			for b := first / 32; b < end; b++ {
				for r := from; r < to; r++ {
					at := r*n + b - begin
					values := &table[scale[at]]
					i := 32*b - first
					if i >= 0 && i+32 <= inputs {
						out := dst[i*l.out+o+r:]
						for k, c := range codes[at*16:][:16] {
							out[2*k*l.out] = values[c&15]
							out[(2*k+1)*l.out] = values[c>>4]
						}
						continue
					}
					for k := range 32 {
						if i+k >= 0 && i+k < inputs {
							dst[(i+k)*l.out+o+r] = values[codes[at*16+k/2]>>(k%2*4)&15]
						}
					}
				}
			}
		}
	}
	return nil
}

// Tables of e2m1 times every power of two. 255 stands for 2^128.
var (
	mxTable32   = sync.OnceValue(newMXTable[float32])
	mxTableF16  = sync.OnceValue(newMXTable[float16.Float16])
	mxTableBF16 = sync.OnceValue(newMXTable[bf16.BFloat16])
)

func newMXTable[T kernels.Float]() *[256][16]T {
	table := new([256][16]T)
	for scale := range table {
		var wide [16]float32
		for code := range wide {
			wide[code] = float32(math.Ldexp(float64(fp4.E2M1(code).Float32()), scale-127))
		}
		narrow(table[scale][:], wide[:])
	}
	return table
}

func mxTable[T kernels.Float]() *[256][16]T {
	var table any
	switch any(*new(T)).(type) {
	case float32:
		table = mxTable32()
	case float16.Float16:
		table = mxTableF16()
	case bf16.BFloat16:
		table = mxTableBF16()
	}
	return table.(*[256][16]T)
}
