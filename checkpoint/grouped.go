package checkpoint

import (
	"bytes"
	"math"

	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// form is how codes are stored.
type form uint8

const (
	formI8   form = iota // int8
	formU8               // uint8
	formBits             // unsigned codes of any number of bits, a little-endian bit stream per row
	formE4M3             // fp8.E4M3FN
	formE5M2             // fp8.E5M2
	formE2M1             // fp4.Pair
	formE2M3             // four e2m3 in three bytes, little-endian
)

// formats are how kernels read them, but for streams.
var formats = [...]kernels.Format{kernels.Int8, kernels.Uint8, kernels.Uint8, kernels.E4M3FN, kernels.E5M2, kernels.E2M1Packed, kernels.E2M3Packed}

// streamFormat is how kernels read a stream of codes of so many bits, if they do; else they have to be unpacked, which those of six bits are by kernels too.
func streamFormat(bits int) (f kernels.Format, ok bool) {
	switch bits {
	case 2:
		return kernels.Uint2, true
	case 4:
		return kernels.Uint4, true
	case 6:
		return kernels.Uint6, !unpacksStreams(isa.Current())
	}
	return kernels.Uint8, bits == 8
}

// grouped are codes of rows, whose groups are blocks of the matrix:
//
//	(q - zero point) * scale    q * scale for floats
type grouped struct {
	codes    Stored
	form     form
	bits     int   // of a code
	bias     int32 // the zero point where zero has none
	cols     int
	rowBytes int

	axes      []axis // all but the last
	blockCols int
	groupCols int     // groups of a row
	index     []int32 // the group of each column, nil where it follows from blockCols

	scale scales
	zero  *zeros // nil if there are none
}

// axis is one axis, cut into blocks; the last may be shorter.
type axis struct{ len, block int }

func (a axis) groups() int { return a.len/a.block + min(1, a.len%a.block) }

func (l *grouped) step() int { return l.axes[len(l.axes)-1].block }

// scaleRow returns the row of the parameters that a row's groups have, and how many of the next rows can be worked on with it: they have
// the same parameters, or, if the last axis is not cut into blocks, a row of parameters each.
func (l *grouped) scaleRow(row int) (scaleRow, rows int) {
	stride := 1
	for i := len(l.axes) - 1; i >= 0; i-- {
		a := l.axes[i]
		at := row % a.len
		row /= a.len
		if i == len(l.axes)-1 {
			rows = a.len - at
			if a.block > 1 {
				rows = min(rows, a.block-at%a.block)
			}
		}
		scaleRow += at / a.block * stride
		stride *= a.groups()
	}
	return scaleRow, rows
}

// scales are a parameter per group.
type scales struct {
	Stored
	factor factor  // what becomes of a scale
	global float32 // for divided and multiplied
	inf255 bool    // the byte 255 of a power of two is 2^128, which is infinite, not NaN
}

// factor is what becomes of a scale before it is used.
type factor uint8

const (
	asStored   factor = iota
	divided           // by the global scale
	multiplied        // by the global scale
)

// read reads scales from the one called first on.
func (c *scales) read(s *scratch, dst []float32, first int) error {
	if t := c.DType; floating(t) {
		if err := readWide(c.Stored, s, dst, int64(first)*int64(t.Bits()/8)); err != nil {
			return err
		}
	} else {
		codes := lend[uint8](&s.stored, len(dst))
		if err := read(c.Stored, codes, int64(first)); err != nil {
			return err
		}
		c.decode(dst, codes)
	}
	switch c.factor {
	case divided:
		divide(s, dst, c.global)
	case multiplied:
		multiply(dst, dst, []float32{c.global}, len(dst))
	}
	return nil
}

// decode decodes scales of a byte: e4m3, or the exponent of a power of two.
func (c *scales) decode(dst []float32, codes []uint8) {
	if c.DType == safetensors.F8_E4M3 {
		kernels.DecodeE4M3FN(dst, as[fp8.E4M3FN](codes))
		return
	}
	kernels.DecodeE8M0(dst, as[fp8.E8M0](codes))
	if c.inf255 && bytes.IndexByte(codes, 255) >= 0 {
		for i, b := range codes {
			if b == 255 {
				dst[i] = float32(math.Inf(1))
			}
		}
	}
}

// zeros are a zero point per group: int8, or packed in 32-bit words down the rows.
type zeros struct {
	Stored
	bits int   // of a zero point that is packed, else 0
	plus int32 // what makes one that is not packed a code
}

// read reads the zero points of so many rows of groups.
func (z *zeros) read(s *scratch, dst []int32, first, rows, cols int) error {
	if z.bits == 0 {
		stored := lend[int8](&s.stored, rows*cols)
		if err := read(z.Stored, stored, int64(first)*int64(cols)); err != nil {
			return err
		}
		for i, b := range stored {
			dst[i] = int32(b) + z.plus
		}
		return nil
	}
	begin, end := first*z.bits/32, ((first+rows)*z.bits+31)/32
	words := lend[uint32](&s.stored, (end-begin)*cols)
	if err := read(z.Stored, words, int64(begin)*int64(cols)*4); err != nil {
		return err
	}
	mask := uint32(1)<<z.bits - 1
	for r := range rows {
		bit := (first + r) * z.bits
		at, shift, to := bit/32-begin, bit%32, dst[r*cols:][:cols]
		for c, v := range words[at*cols:][:len(to)] {
			to[c] = int32(v >> shift & mask)
		}
		if shift+z.bits > 32 {
			for c, v := range words[(at+1)*cols:][:len(to)] {
				to[c] |= int32(v << (32 - shift) & mask)
			}
		}
	}
	return nil
}

// paramsLen is how many parameters of a kind are read at a time, if they are of more rows than a piece has: to read some takes as long as to read many.
const paramsLen = 1 << 14

// readGrouped reads rows.
func readGrouped[T kernels.Float](l *grouped, s *scratch, dst []T, first int) error {
	for len(dst) > 0 {
		scaleRow, rows := l.scaleRow(first)
		rows = min(rows, len(dst)/l.cols)
		scaleRows := 1
		if l.axes[len(l.axes)-1].block == 1 {
			rows = min(rows, max(l.pieceRows(), paramsLen/l.groupCols))
			scaleRows = rows
		}
		p, err := l.params(s, scaleRow, scaleRows)
		if err != nil {
			return err
		}
		for rows > 0 {
			n := min(rows, l.pieceRows())
			some, someRows := p, 1
			if scaleRows > 1 {
				some, someRows = p.slice(0, n*l.groupCols), n
				p = p.slice(n*l.groupCols, (rows-n)*l.groupCols)
			}
			if err := readBlock(l, s, dst[:n*l.cols], first, some, someRows); err != nil {
				return err
			}
			dst, first, rows = dst[n*l.cols:], first+n, rows-n
		}
	}
	return nil
}

// pieceRows is how many rows are worked on at a time.
func (l *grouped) pieceRows() int {
	if l.mixed() {
		return mixedRows
	}
	return max(1, pieceLen/l.cols)
}

// readBlock reads rows that have the same parameters, or, if there are as many scaleRows as rows, a row of parameters each.
func readBlock[T kernels.Float](l *grouped, s *scratch, dst []T, first int, p params, scaleRows int) error {
	rows := len(dst) / l.cols
	codes := lend[uint8](&s.codes, rows*l.rowBytes+16)[:rows*l.rowBytes]
	if err := read(l.codes, codes, int64(first)*int64(l.rowBytes)); err != nil {
		return err
	}
	if l.mixed() {
		m := mixed{bits: l.bits, index: l.index, scale: p.scale, zero: p.zero, groups: l.groupCols, stride: 1, next: l.groupCols}
		if scaleRows == 1 {
			m.next = 0
		}
		if l.form == formI8 { // as uint8, as params has it
			m.bits = 8
			for i := range s.codes[:(len(codes)+7)/8] {
				s.codes[i] ^= 0x80808080_80808080
			}
		}
		if acrossRows(rows) {
			m = m.sideBySide(s, rows)
		}
		readMixed(m, s, dst, codes, l.rowBytes)
		return nil
	}

	ragged := l.index != nil || l.cols%l.blockCols != 0
	form, rowBytes := l.form, l.rowBytes
	grid := kernels.Grid{Rows: rows, Groups: l.groupCols, Len: l.blockCols}
	if scaleRows == rows {
		grid = kernels.Grid{Rows: 1, Groups: rows * l.groupCols, Len: l.blockCols}
	}
	if form == formBits && !ragged && 8*rowBytes == l.bits*l.cols && dequantizeBits(l, dst, codes, grid, p) {
		return nil
	}
	if _, ok := streamFormat(l.bits); form == formBits && (!ok || ragged || 8*rowBytes != l.bits*l.cols || p.odd()) {
		codes, form, rowBytes = l.unpack(s, codes, rows), formU8, l.cols
	}
	switch {
	case l.index != nil:
		for r := range rows {
			at := min(r, scaleRows-1) * l.groupCols
			dequantize(l, s, form, dst[r*l.cols:][:l.cols], codes[r*rowBytes:], kernels.Grid{Rows: 1, Groups: l.cols, Len: 1}, p.gather(s, at, l.index))
		}
	case ragged:
		whole := l.cols / l.blockCols
		cut := whole * l.blockCols
		for r := range rows {
			at := min(r, scaleRows-1) * l.groupCols
			row, code := dst[r*l.cols:][:l.cols], codes[r*rowBytes:]
			dequantize(l, s, form, row[:cut], code, kernels.Grid{Rows: 1, Groups: whole, Len: l.blockCols}, p.slice(at, whole))
			dequantize(l, s, form, row[cut:], code[cut:], kernels.Grid{Rows: 1, Groups: 1, Len: l.cols - cut}, p.slice(at+whole, 1))
		}
	default:
		dequantize(l, s, form, dst, codes, grid, p)
	}
	return nil
}

// mixed tells whether codes are integers whose columns have groups in any order.
func (l *grouped) mixed() bool { return l.index != nil && (l.form == formI8 || l.form == formBits) }

// params reads the parameters of some rows.
func (l *grouped) params(s *scratch, row, rows int) (p params, err error) {
	p.scale = lend[float32](&s.scale, rows*l.groupCols)
	if err := l.scale.read(s, p.scale, row*l.groupCols); err != nil {
		return p, err
	}
	switch {
	case l.zero != nil:
		p.zero = lend[int32](&s.zero, len(p.scale))
		if err := l.zero.read(s, p.zero, row, rows, l.groupCols); err != nil {
			return p, err
		}
	case l.bias != 0 || l.mixed():
		p.zero = lend[int32](&s.zero, len(p.scale))
		for i := range p.zero {
			p.zero[i] = l.bias
		}
	}
	if err := l.checkZero(p.zero); err != nil {
		return p, err
	}
	if l.mixed() && l.form == formI8 { // which are made codes without a sign
		for i := range p.zero {
			p.zero[i] += 1 << 7
		}
	}
	return p, nil
}

// checkZero holds zero points against the codes.
func (l *grouped) checkZero(zero []int32) error {
	if l.zero == nil {
		return nil
	}
	low, high := l.codeRange()
	beyond := uint32(0)
	for _, z := range zero {
		beyond |= uint32(z-int32(low)) | uint32(int32(high)-z)
	}
	if beyond < 1<<31 {
		return nil
	}
	for _, z := range zero {
		if int(z) < low || int(z) > high {
			plus := int(l.zero.plus)
			return refuse(l.zero.File.Name(), l.zero.Name, "has a zero point of %d, want %d to %d", int(z)-plus, low-plus, high-plus)
		}
	}
	return nil
}

// codeRange returns the least and the greatest code.
func (l *grouped) codeRange() (low, high int) {
	if l.form == formI8 {
		return -1 << (l.bits - 1), 1<<(l.bits-1) - 1
	}
	return 0, 1<<l.bits - 1
}

// unpack gives each code of a bit stream a byte.
func (l *grouped) unpack(s *scratch, packed []uint8, rows int) []uint8 {
	out := lend[uint8](&s.bytes, rows*l.cols)
	for r := range rows {
		unpackBits(out[r*l.cols:][:l.cols], packed[r*l.rowBytes:][:l.rowBytes], l.bits)
	}
	return out
}

// params are parameters, one of each per group.
type params struct {
	scale []float32
	zero  []int32 // nil for zeros
}

// odd tells whether a scale is negative or zero: the kernels give +0 for a code that stands for zero, IEEE arithmetic -0 if the scale is
// negative, and the sign of the code if it is zero.
func (p params) odd() bool {
	for _, x := range p.scale {
		if x <= 0 {
			return true
		}
	}
	return false
}

func (p params) slice(at, n int) params {
	p.scale = p.scale[at:][:n]
	if p.zero != nil {
		p.zero = p.zero[at:][:n]
	}
	return p
}

// gather gives each column the scale of its group, of those from at on.
func (p params) gather(s *scratch, at int, index []int32) params {
	out := params{scale: lend[float32](&s.column, len(index))}
	for c, g := range index {
		out.scale[c] = p.scale[at+int(g)]
	}
	return out
}

// dequantize writes the values of codes.
func dequantize[T kernels.Float](l *grouped, s *scratch, form form, dst []T, codes []uint8, g kernels.Grid, p params) {
	format := formats[form]
	if form == formBits {
		format, _ = streamFormat(l.bits)
	}
	codes = codes[:format.Bytes(len(dst))]
	switch {
	case form >= formE4M3:
		kernels.DequantizeFloat(dst, codes, g, &kernels.FloatParams{Format: format, Scale: p.scale})
	case p.odd():
		dequantizeOdd(s, form == formI8, dst, codes, g, p)
	default:
		low, high := l.codeRange()
		kernels.DequantizeInt(dst, codes, g, &kernels.IntParams{Format: format, Min: low, Max: high, Scale: p.scale, ZeroPoint: p.zero})
	}
}

// dequantizeOdd does what the kernels do, to the sign of zero.
func dequantizeOdd[T kernels.Float](s *scratch, signed bool, dst []T, codes []uint8, g kernels.Grid, p params) {
	wide := lend[float32](&s.values, len(dst))
	for i := range dst {
		group := i / g.Len % g.Groups
		q := int32(codes[i])
		if signed {
			q = int32(int8(codes[i]))
		}
		if p.zero != nil {
			q -= p.zero[group]
		}
		wide[i] = float32(q) * p.scale[group]
	}
	narrow(dst, wide)
}
