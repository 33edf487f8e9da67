package checkpoint

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
)

// nf4 are codes of four bits of bitsandbytes, two to a byte, the first in the high nibble, over the flattened tensor; each block has its
// largest magnitude.
//
//	w = table[q] * absmax
//
// Nested, the magnitudes are codes themselves: absmax = map[u] * nested absmax + offset.
type nf4 struct {
	codes    Stored
	elements int
	block    int
	values   *pairValues
	absmax   Stored
	nested   *nested // nil unless absmax are codes
}

type nested struct {
	absmax Stored
	table  []float32 // 256
	block  int
	offset float32
}

func (l *nf4) step() int { return 1 }

// Values of the codes.
var (
	nf4Table = [16]float32{
		-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
		0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
	}
	fp4Table = [16]float32{
		0.0, 0.0052083334885537624, 0.6666666865348816, 1.0, 0.3333333432674408, 0.5, 0.1666666716337204, 0.25,
		0.0, -0.0052083334885537624, -0.6666666865348816, -1.0, -0.3333333432674408, -0.5, -0.1666666716337204, -0.25,
	}
)

// readNF4 reads elements from the one called first on.
func readNF4[T kernels.Float](l *nf4, s *scratch, dst []T, first int) error {
	for len(dst) > 0 {
		n := min(len(dst), max(1, pieceLen/l.block)*l.block-first%l.block)
		if err := readNF4Blocks(l, s, dst[:n], first); err != nil {
			return err
		}
		dst, first = dst[n:], first+n
	}
	return nil
}

func readNF4Blocks[T kernels.Float](l *nf4, s *scratch, dst []T, first int) error {
	begin, end := first/2, (first+len(dst)+1)/2
	codes := lend[uint8](&s.codes, end-begin)
	if err := read(l.codes, codes, int64(begin)); err != nil {
		return err
	}
	block := first / l.block
	absmax := lend[float32](&s.scale, (first+len(dst)+l.block-1)/l.block-block)
	if err := l.readAbsmax(s, absmax, block); err != nil {
		return err
	}
	for at := first; len(dst) > 0; {
		if blocks := len(dst) / l.block; blocks > 0 && at%l.block == 0 && l.block%tableLen == 0 {
			if n := lookUpTables(s, dst, codes[at/2-begin:], l.block, absmax[at/l.block-block:][:min(blocks, tablesLen)], l.values); n > 0 {
				dst, at = dst[n:], at+n
				continue
			}
		}
		// A part of a block, or some whole ones.
		n, blocks := min(len(dst), l.block-at%l.block, wideLen), 1
		if n == l.block {
			blocks = min(len(dst), wideLen) / n
		}
		m := absmax[at/l.block-block:][:blocks]
		wide, same := any(dst[:n*blocks]).([]float32)
		if !same {
			wide = lend[float32](&s.values, n*blocks)
		}
		lookUpPairs(wide, codes[at/2-begin:], at%2, &l.values.pairs)
		multiply(wide, wide, m, n)
		if !same {
			narrow(dst[:n*blocks], wide)
		}
		dst, at = dst[n*blocks:], at+n*blocks
	}
	return nil
}

// wideLen is how many elements are computed at a time: their float32 stay in the first cache.
const wideLen = 1 << 12

// pairValues are the values of codes: of both of each byte, and so often as tables are made of them at a time.
type pairValues struct {
	pairs    [256][2]float32
	repeated [16 * tablesLen]float32
}

// tablesLen is how many blocks have tables at a time, and of a multiple of how many codes a kernel looks up.
const tablesLen, tableLen = 64, 64

var nf4Values, fp4Values = valuesOf(&nf4Table), valuesOf(&fp4Table)

func valuesOf(table *[16]float32) *pairValues {
	var v pairValues
	for c := range v.pairs {
		v.pairs[c] = [2]float32{table[c>>4], table[c&15]}
	}
	for i := range v.repeated {
		v.repeated[i] = table[i%16]
	}
	return &v
}

// lookUpTables makes a table of the values of each block, whose magnitude is in m, and looks its codes up in that, if there is a kernel for it. It
// returns how many elements are done.
func lookUpTables[T kernels.Float](s *scratch, dst []T, codes []uint8, block int, m []float32, v *pairValues) int {
	impl := isa.Current()
	if impl == asm.Generic {
		return 0
	}
	tables := lend[float32](&s.values, 16*len(m))
	multiply(tables, v.repeated[:len(tables)], m, 16)
	size, table := asm.Bits32, unsafe.Pointer(&tables[0])
	if unsafe.Sizeof(*new(T)) == 2 {
		short := lend[T](&s.table, len(tables))
		narrow(short, tables)
		size, table = asm.Bits16, unsafe.Pointer(&short[0])
	}
	n := len(m) * block
	asm.LookUpPairs(impl, size, unsafe.Pointer(&dst[:n][0]), &codes[:n/2][0], table, len(m), block)
	return n
}

// lookUpPairs looks the values of codes up, from the first or the second of a byte on.
func lookUpPairs(dst []float32, codes []uint8, from int, pairs *[256][2]float32) {
	if from == 1 {
		dst[0] = pairs[codes[0]][1]
		dst, codes = dst[1:], codes[1:]
	}
	for ; len(dst) >= 8 && len(codes) >= 4; dst, codes = dst[8:], codes[4:] {
		y, c := (*[8]float32)(dst), (*[4]uint8)(codes)
		*(*[2]float32)(y[0:]) = pairs[c[0]]
		*(*[2]float32)(y[2:]) = pairs[c[1]]
		*(*[2]float32)(y[4:]) = pairs[c[2]]
		*(*[2]float32)(y[6:]) = pairs[c[3]]
	}
	for i := range dst {
		dst[i] = pairs[codes[i/2]][i%2]
	}
}

// readAbsmax reads the magnitudes of blocks from one on.
func (l *nf4) readAbsmax(s *scratch, dst []float32, first int) error {
	if l.nested == nil {
		return read(l.absmax, dst, 4*int64(first))
	}
	codes := lend[uint8](&s.stored, len(dst))
	if err := read(l.absmax, codes, int64(first)); err != nil {
		return err
	}
	from, to := first/l.nested.block, (first+len(dst)-1)/l.nested.block+1
	outer := lend[float32](&s.column, to-from)
	if err := read(l.nested.absmax, outer, 4*int64(from)); err != nil {
		return err
	}
	table := (*[256]float32)(l.nested.table)
	for i, m := range outer {
		begin, end := max(first, (from+i)*l.nested.block)-first, min(first+len(dst), (from+i+1)*l.nested.block)-first
		for at, u := range codes[begin:end] {
			dst[begin+at] = float32(table[u]*m) + l.nested.offset
		}
	}
	return nil
}

// int8Rows are the codes of bitsandbytes' LLM.int8(): w = q * SCB * (1/127), from left to right.
type int8Rows struct {
	codes Stored
	scale Stored
	cols  int
}

func (*int8Rows) step() int { return 1 }

// readInt8Rows reads rows.
func readInt8Rows[T kernels.Float](l *int8Rows, s *scratch, dst []T, first int) error {
	for len(dst) > 0 {
		rows := min(len(dst)/l.cols, max(1, pieceLen/l.cols))
		codes := lend[int8](&s.codes, rows*l.cols)
		if err := read(l.codes, codes, int64(first)*int64(l.cols)); err != nil {
			return err
		}
		scale := lend[float32](&s.scale, rows)
		if err := read(l.scale, scale, 4*int64(first)); err != nil {
			return err
		}
		first += rows
		if dequantizeTwice(dst[:len(codes)], codes, scale, l.cols, over127[0]) {
			dst = dst[len(codes):]
			continue
		}
		for len(codes) > 0 {
			some := min(len(scale), max(1, wideLen/l.cols))
			n := some * l.cols
			wide, same := any(dst[:n]).([]float32)
			if !same {
				wide = lend[float32](&s.values, n)
			}
			grid := kernels.Grid{Rows: 1, Groups: some, Len: l.cols}
			if p := (params{scale: scale[:some]}); p.odd() {
				dequantizeOdd(s, true, wide, bytesOf(codes[:n]), grid, p)
			} else {
				kernels.DequantizeInt(wide, codes[:n], grid, &kernels.IntParams{Min: -128, Max: 127, Scale: p.scale})
			}
			multiply(wide, wide, over127[:], n)
			if !same {
				narrow(dst[:n], wide)
			}
			dst, codes, scale = dst[n:], codes[n:], scale[some:]
		}
	}
	return nil
}

// over127 is the float32 next to 1/127.
var over127 = [1]float32{1.0 / 127}
