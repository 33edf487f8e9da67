package checkpoint

import (
	"math"

	"github.com/lowbit-go/lowbit/fp8"
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

// grouped are codes of rows, whose groups are blocks of the matrix:
//
//	(q - zero point) * scale    q * scale for floats    (q - lowest code) * scale + minval
type grouped struct {
	codes    Stored
	form     form
	bits     int   // of a code
	signed   bool  // codes of formBits are two's complement
	bias     int32 // the zero point where zero has none
	cols     int
	rowBytes int

	axes      []axis // all but the last
	blockCols int
	groupCols int      // groups of a row
	index     []int32  // the group of each column, nil where it follows from blockCols
	places    []uint16 // as placesOf gives them

	scale  scales
	zero   *zeros  // nil if there are none
	minval *scales // nil if there are none
}

// axis is one axis, cut into blocks; the last may be shorter.
type axis struct{ len, block int }

func (a axis) groups() int { return (a.len + a.block - 1) / a.block }

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
		for i, x := range dst {
			dst[i] = x / c.global
		}
	case multiplied:
		for i, x := range dst {
			dst[i] = c.global * x
		}
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
	if c.inf255 {
		for i, b := range codes {
			if b == 255 {
				dst[i] = float32(math.Inf(1))
			}
		}
	}
}

// zeros are a zero point per group.
type zeros struct {
	Stored
	bits int // of a zero point: less than 8 are packed in 32-bit words down the rows; 8 in bytes unless packed
	pack bool
}

// read reads the zero points of so many rows of groups.
func (z *zeros) read(s *scratch, dst []int32, first, rows, cols int) error {
	switch {
	case z.pack:
		begin, end := first*z.bits/32, ((first+rows)*z.bits+31)/32
		words := lend[uint32](&s.stored, (end-begin)*cols)
		if err := read(z.Stored, words, int64(begin)*int64(cols)*4); err != nil {
			return err
		}
		mask := uint32(1)<<z.bits - 1
		for r := range rows {
			bit := (first + r) * z.bits
			at, shift := bit/32-begin, bit%32
			for c := range cols {
				v := words[at*cols+c] >> shift
				if shift+z.bits > 32 {
					v |= words[(at+1)*cols+c] << (32 - shift)
				}
				dst[r*cols+c] = int32(v & mask)
			}
		}
		return nil
	case z.DType == safetensors.I32:
		return read(z.Stored, dst[:rows*cols], int64(first)*int64(cols)*4)
	}
	bytes := lend[int8](&s.stored, rows*cols)
	if err := read(z.Stored, bytes, int64(first)*int64(cols)); err != nil {
		return err
	}
	for i, b := range bytes {
		dst[i] = int32(b)
		if z.DType == safetensors.U8 {
			dst[i] = int32(uint8(b))
		}
	}
	return nil
}

// readGrouped reads rows.
func readGrouped[T kernels.Float](l *grouped, s *scratch, dst []T, first int) error {
	for len(dst) > 0 {
		scaleRow, rows := l.scaleRow(first)
		rows = min(rows, len(dst)/l.cols, max(1, pieceLen/l.cols))
		scaleRows := 1
		if l.axes[len(l.axes)-1].block == 1 {
			scaleRows = rows
		}
		if err := readBlock(l, s, dst[:rows*l.cols], first, scaleRow, scaleRows); err != nil {
			return err
		}
		dst, first = dst[rows*l.cols:], first+rows
	}
	return nil
}

// readBlock reads rows that have the same parameters, or, if there are as many scaleRows as rows, a row of parameters each.
func readBlock[T kernels.Float](l *grouped, s *scratch, dst []T, first, scaleRow, scaleRows int) error {
	rows := len(dst) / l.cols
	codes := lend[uint8](&s.codes, rows*l.rowBytes)
	if err := read(l.codes, codes, int64(first)*int64(l.rowBytes)); err != nil {
		return err
	}
	p := params{scale: lend[float32](&s.scale, scaleRows*l.groupCols)}
	if err := l.scale.read(s, p.scale, scaleRow*l.groupCols); err != nil {
		return err
	}
	if l.zero != nil || l.bias != 0 {
		p.zero = lend[int32](&s.zero, len(p.scale))
		if l.zero == nil {
			for i := range p.zero {
				p.zero[i] = l.bias
			}
		} else if err := l.zero.read(s, p.zero, scaleRow, scaleRows, l.groupCols); err != nil {
			return err
		}
	}
	if l.minval != nil {
		p.minval = lend[float32](&s.minval, len(p.scale))
		if err := l.minval.read(s, p.minval, scaleRow*l.groupCols); err != nil {
			return err
		}
	}
	if err := l.checkZero(p.zero); err != nil {
		return err
	}

	ragged := l.index != nil || l.cols%l.blockCols != 0
	form, rowBytes := l.form, l.rowBytes
	if form == formBits && (l.bits != 4 || ragged || 2*rowBytes != l.cols || p.odd()) {
		codes, form, rowBytes = l.unpack(s, codes, rows), formU8, l.cols
		if l.signed {
			form = formI8
		}
	}
	switch {
	case l.places != nil && form == formU8 && p.zero != nil:
		var table *[tableLen]T
		for r := range rows {
			if r < scaleRows {
				table = codeTable[T](s, p.slice(r*l.groupCols, l.groupCols), l.bits)
			}
			lookUp(dst[r*l.cols:][:l.cols], codes[r*rowBytes:], table, l.places)
		}
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
	case scaleRows == rows:
		dequantize(l, s, form, dst, codes, kernels.Grid{Rows: 1, Groups: rows * l.groupCols, Len: l.blockCols}, p)
	default:
		dequantize(l, s, form, dst, codes, kernels.Grid{Rows: rows, Groups: l.groupCols, Len: l.blockCols}, p)
	}
	return nil
}

// checkZero holds zero points against the codes.
func (l *grouped) checkZero(zero []int32) error {
	if l.zero == nil {
		return nil
	}
	low, high := l.codeRange()
	for _, z := range zero {
		if int(z) < low || int(z) > high {
			return refuse(l.zero.File.Name(), l.zero.Name, "has a zero point of %d, want %d to %d", z, low, high)
		}
	}
	return nil
}

// codeRange returns the least and the greatest code.
func (l *grouped) codeRange() (low, high int) {
	if l.form == formI8 || l.signed {
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
	if l.signed {
		shift := 8 - l.bits
		for i, q := range out {
			out[i] = uint8(int8(q<<shift) >> shift)
		}
	}
	return out
}

// params are parameters, one of each per group.
type params struct {
	scale  []float32
	zero   []int32   // nil for zeros
	minval []float32 // nil for none
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
	if p.minval != nil {
		p.minval = p.minval[at:][:n]
	}
	return p
}

// gather gives each column the parameters of its group, of those from at on.
func (p params) gather(s *scratch, at int, index []int32) params {
	n := len(index)
	out := params{scale: lend[float32](&s.column, n)}
	for c, g := range index {
		out.scale[c] = p.scale[at+int(g)]
	}
	if p.zero != nil {
		out.zero = lend[int32](&s.gathered, n)
		for c, g := range index {
			out.zero[c] = p.zero[at+int(g)]
		}
	}
	return out
}

// dequantize writes the values of codes.
func dequantize[T kernels.Float](l *grouped, s *scratch, form form, dst []T, codes []uint8, g kernels.Grid, p params) {
	n := len(dst)
	switch form {
	case formE4M3:
		kernels.DequantizeFloat(dst, codes[:n], g, &kernels.FloatParams{Format: kernels.E4M3FN, Scale: p.scale})
		return
	case formE5M2:
		kernels.DequantizeFloat(dst, codes[:n], g, &kernels.FloatParams{Format: kernels.E5M2, Scale: p.scale})
		return
	case formE2M1:
		kernels.DequantizeFloat(dst, codes[:n/2], g, &kernels.FloatParams{Format: kernels.E2M1Packed, Scale: p.scale})
		return
	case formE2M3:
		kernels.DequantizeFloat(dst, codes[:n/4*3], g, &kernels.FloatParams{Format: kernels.E2M3Packed, Scale: p.scale})
		return
	}
	low, high := l.codeRange()
	given := &kernels.IntParams{Min: low, Max: high, Scale: p.scale, ZeroPoint: p.zero, Minval: p.minval}
	switch {
	case p.odd():
		dequantizeOdd(s, form == formI8, dst, codes, g, p, low)
	case form == formI8:
		kernels.DequantizeInt(dst, as[int8](codes)[:n], g, given)
	case form == formU8:
		kernels.DequantizeInt(dst, codes[:n], g, given)
	case l.signed:
		given.Format = kernels.Int4
		kernels.DequantizeInt(dst, codes[:n/2], g, given)
	default:
		given.Format = kernels.Uint4
		kernels.DequantizeInt(dst, codes[:n/2], g, given)
	}
}

// dequantizeOdd does what the kernels do, to the sign of zero.
func dequantizeOdd[T kernels.Float](s *scratch, signed bool, dst []T, codes []uint8, g kernels.Grid, p params, low int) {
	wide := lend[float32](&s.values, len(dst))
	for i := range dst {
		group := i / g.Len % g.Groups
		q := int32(codes[i])
		if signed {
			q = int32(int8(codes[i]))
		}
		switch {
		case p.minval != nil:
			wide[i] = float32(float32(q-int32(low))*p.scale[group]) + p.minval[group]
		case p.zero != nil:
			wide[i] = float32(q-p.zero[group]) * p.scale[group]
		default:
			wide[i] = float32(q) * p.scale[group]
		}
	}
	narrow(dst, wide)
}
