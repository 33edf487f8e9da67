package checkpoint

import (
	"slices"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
)

// mixed are rows of unsigned codes whose columns have groups in any order.
type mixed struct {
	bits  int     // of a code
	index []int32 // the group of each column

	// The parameters of a row in a group, so far behind them those in the next group, and so far those of the next row. Where rows are worked on
	// side by side, theirs lie so, and behind the last ones is room for spare more.
	scale        []float32
	zero         []int32
	groups       int
	stride, next int
}

// A tile is some columns of some rows. Its values are made where those of all rows lie side by side, as their parameters do, a strip of columns
// at a time. Fewer than fewRows are not worth it. How many rows lie side by side is a multiple of every implementation's tile; spare are behind the last.
const (
	mixedRows   = 128
	mixedCols   = 256
	mixedStride = mixedCols + 16 // as streamStride
	mixedStrip  = 32
	fewRows     = 16
	lanes       = 64
	spare       = lanes - 1
)

// acrossRows tells whether so many rows are worked on side by side.
func acrossRows(rows int) bool { return rows >= fewRows && isa.Current() != asm.Generic }

// sideBySide is how many rows are worked on if there are so many.
func sideBySide(rows int) int { return (rows + lanes - 1) / lanes * lanes }

// from is m without the rows before one.
func (m mixed) from(row int) mixed {
	m.scale, m.zero = m.scale[row:], m.zero[row:]
	return m
}

// sideBySide is m with the parameters of all rows in a group side by side.
func (m mixed) sideBySide(s *scratch, rows int) mixed {
	stride := sideBySide(rows)
	scale, zero := lend[float32](&s.minval, m.groups*stride), lend[int32](&s.gathered, m.groups*stride)
	transpose(scale, stride, m.scale, m.next, rows, m.groups)
	transpose(zero, stride, m.zero, m.next, rows, m.groups)
	m.scale, m.zero, m.stride, m.next = scale, zero, stride, 1
	return m
}

// readTile gives the values of up to mixedCols columns, from one on, of up to mixedRows rows. What is read are words of codes, those of all rows
// side by side, and so far behind them those of the next columns; behind the last ones is room for spare more.
func readTile[T kernels.Float](m mixed, s *scratch, dst []T, rows, first, n int, words []uint32, stride int) {
	impl, wide := isa.Current(), sideBySide(rows)
	values, strip := lend[T](&s.values, wide*mixedStride), lend[float32](&s.table, wide*mixedStrip)
	rounded, isWide := any(strip).([]T)
	if !isWide {
		rounded = lend[T](&s.bytes, wide*mixedStrip)
	}
	for i, g := range m.index[first:][:n] {
		w, shift := m.words(s, words, stride, wide, i)
		at, c := int(g)*m.stride, i%mixedStrip
		scale, zero := m.scale[at:][:wide], m.zero[at:][:wide]
		asm.DequantizeAcross(impl, &strip[c*wide], (*int32)(unsafe.Pointer(&w[0])), &zero[0], &scale[0], shift, 1<<m.bits-1, wide)
		if c == mixedStrip-1 || i == n-1 {
			if !isWide {
				narrow(rounded[:(c+1)*wide], strip[:(c+1)*wide])
			}
			transpose(values[i-c:], mixedStride, rounded, wide, mixedStrip, wide)
		}
	}
	for r := range rows {
		copy(dst[r*len(m.index)+first:][:n], values[r*mixedStride:])
	}
}

// words returns the words that have the codes of a column, and where in them. A code that begins in one word and ends in the next is put together.
func (m *mixed) words(s *scratch, words []uint32, stride, wide, column int) (w []uint32, shift int32) {
	at, bit := column*m.bits/32*stride, column*m.bits%32
	w = words[at:][:wide]
	if bit+m.bits <= 32 {
		return w, int32(bit)
	}
	joined, next := lend[uint32](&s.joined, wide), words[at+stride:][:wide]
	for i, v := range w {
		joined[i] = v>>bit | next[i]<<(32-bit)
	}
	return joined, 0
}

// readMixed gives the values of up to mixedRows rows of codes, a bit stream each.
func readMixed[T kernels.Float](m mixed, s *scratch, dst []T, codes []uint8, rowBytes int) {
	cols := len(m.index)
	rows := len(dst) / cols
	if !acrossRows(rows) {
		bytes, values := lend[uint8](&s.bytes, cols), lend[float32](&s.values, cols)
		s.groupsOfRow = slices.Grow(s.groupsOfRow[:0], m.groups)[:m.groups]
		for r := range rows {
			unpackBits(bytes, codes[r*rowBytes:][:rowBytes], m.bits)
			m.row(values, bytes, r, s.groupsOfRow)
			narrow(dst[r*cols:][:cols], values)
		}
		return
	}
	stride := sideBySide(rows)
	words := lend[uint32](&s.column, mixedCols/4*stride)
	for first := 0; first < cols; first += mixedCols {
		n, begin := min(mixedCols, cols-first), first*m.bits/8
		row, from := codes[begin:], rowBytes
		if from%4 != 0 {
			row, from = lend[uint8](&s.bytes, rows*mixedStride), mixedStride
			for r := range rows {
				copy(row[r*from:][:(n*m.bits+7)/8], codes[r*rowBytes+begin:])
			}
		}
		transpose(words, stride, wordsIn(row), from/4, rows, (n*m.bits+31)/32)
		readTile(m, s, dst, rows, first, n, words, stride)
	}
}

// groupOfRow are the parameters of a row in a group.
type groupOfRow struct{ zero, scale float32 }

// row gives the values of a row. It brings the parameters of its groups together in of, so that what is done for a column is but loads from
// the first cache and two operations.
func (m mixed) row(dst []float32, codes []uint8, row int, of []groupOfRow) {
	finite := true
	for g := range of {
		at := g*m.stride + row*m.next
		of[g] = groupOfRow{float32(m.zero[at]), m.scale[at]}
		finite = finite && m.scale[at]-m.scale[at] == 0
	}
	dst, codes = dst[:len(m.index)], codes[:len(m.index)]
	for i, g := range m.index {
		p := &of[g]
		dst[i] = (codeValues[codes[i]] - p.zero) * p.scale
	}
	if !finite {
		oneNaN(dst)
	}
}

// oneNaN makes every NaN the one without sign and payload.
func oneNaN(x []float32) {
	for i, v := range x {
		if v != v {
			x[i] = nan
		}
	}
}

// codeValues are the codes as numbers.
var codeValues = func() (values [256]float32) {
	for q := range values {
		values[q] = float32(q)
	}
	return values
}()
