package checkpoint

import "github.com/lowbit-go/lowbit/kernels"

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
	table    *[16]float32
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
	wide := lend[float32](&s.values, 16*len(absmax))
	for b, m := range absmax {
		scaleTable((*[16]float32)(wide[16*b:]), l.table, m)
	}
	table, ok := any(wide).([]T)
	if !ok {
		table = lend[T](&s.table, len(wide))
		narrow(table, wide)
	}
	at, left := first-2*begin, l.block-first%l.block // of the block at hand: to divide takes long
	for len(dst) > 0 {
		n := min(len(dst), left)
		values := (*[16]T)(table)
		if at%2 == 0 && n%2 == 0 {
			lookUpPairs(dst[:n], codes[at/2:][:n/2], values)
		} else {
			for i := range n {
				dst[i] = values[codes[(at+i)/2]>>(4-(at+i)%2*4)&15]
			}
		}
		dst, table = dst[n:], table[16:]
		at, left = at+n, l.block
	}
	return nil
}

// scaleTable has the values of a block's codes.
func scaleTable(dst, table *[16]float32, m float32) {
	dst[0], dst[1], dst[2], dst[3] = table[0]*m, table[1]*m, table[2]*m, table[3]*m
	dst[4], dst[5], dst[6], dst[7] = table[4]*m, table[5]*m, table[6]*m, table[7]*m
	dst[8], dst[9], dst[10], dst[11] = table[8]*m, table[9]*m, table[10]*m, table[11]*m
	dst[12], dst[13], dst[14], dst[15] = table[12]*m, table[13]*m, table[14]*m, table[15]*m
}

// lookUpPairs looks the values of two codes of each byte up, the first in the high nibble.
func lookUpPairs[T kernels.Float](dst []T, codes []uint8, values *[16]T) {
	for len(codes) >= 8 && len(dst) >= 16 {
		c, y := (*[8]uint8)(codes), (*[16]T)(dst)
		y[0], y[1] = values[c[0]>>4], values[c[0]&15]
		y[2], y[3] = values[c[1]>>4], values[c[1]&15]
		y[4], y[5] = values[c[2]>>4], values[c[2]&15]
		y[6], y[7] = values[c[3]>>4], values[c[3]&15]
		y[8], y[9] = values[c[4]>>4], values[c[4]&15]
		y[10], y[11] = values[c[5]>>4], values[c[5]&15]
		y[12], y[13] = values[c[6]>>4], values[c[6]&15]
		y[14], y[15] = values[c[7]>>4], values[c[7]&15]
		codes, dst = codes[8:], dst[16:]
	}
	for i, c := range codes {
		dst[2*i], dst[2*i+1] = values[c>>4], values[c&15]
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
	for i, u := range codes {
		dst[i] = float32(l.nested.table[u]*outer[(first+i)/l.nested.block-from]) + l.nested.offset
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

// int8Len is how many elements are computed at a time: their float32 stay in the first cache.
const int8Len = 1 << 12

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
		for len(codes) > 0 {
			some := min(len(scale), max(1, int8Len/l.cols))
			n := some * l.cols
			wide, same := any(dst[:n]).([]float32)
			if !same {
				wide = lend[float32](&s.values, n)
			}
			kernels.DequantizeInt(wide, codes[:n], kernels.Grid{Rows: 1, Groups: some, Len: l.cols}, &kernels.IntParams{Min: -128, Max: 127, Scale: scale[:some]})
			divideBy127(wide)
			if !same {
				narrow(dst[:n], wide)
			}
			dst, codes, scale = dst[n:], codes[n:], scale[some:]
		}
	}
	return nil
}

// divideBy127 multiplies by the float32 next to 1/127.
func divideBy127(x []float32) {
	for ; len(x) >= 8; x = x[8:] {
		y := (*[8]float32)(x)
		y[0], y[1], y[2], y[3] = y[0]*(1.0/127), y[1]*(1.0/127), y[2]*(1.0/127), y[3]*(1.0/127)
		y[4], y[5], y[6], y[7] = y[4]*(1.0/127), y[5]*(1.0/127), y[6]*(1.0/127), y[7]*(1.0/127)
	}
	for i := range x {
		x[i] *= 1.0 / 127
	}
}
