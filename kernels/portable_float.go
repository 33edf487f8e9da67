package kernels

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

func portableFakeQuantizeFloat[T Float](dst []T, mask Mask, src []T, g Grid, p *FloatParams) {
	var buf piece
	m := p.method()
	hi := m.format.largest
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, y, q := widen(buf.x[:], src[at:end]), room(&buf.y, dst[at:end]), buf.codes[:end-at]
		for r := g.run(at, len(x)); r.from < r.to; r = g.after(r, len(x)) {
			quotients[T](&m, y[r.from:r.to], x[r.from:r.to], factorAt[T](p, &m, r.group))
		}
		mask.put(at, y, -hi, hi)
		for r := g.run(at, len(x)); m.replaces() && r.from < r.to; r = g.after(r, len(x)) {
			m.replaceNaNs(y[r.from:r.to], x[r.from:r.to], factorAt[T](p, &m, r.group), false)
		}
		m.codes(q, y)
		for r := g.run(at, len(x)); r.from < r.to; r = g.after(r, len(x)) {
			s, y, values := m.valueScale(p.Scale[r.group]), y[r.from:r.to], m.format.values
			for i, q := range q[r.from:r.to] {
				v := values[q] * s
				if y[i] != y[i] { // not every format has a NaN
					v = theNaN()
				}
				y[i] = oneNaN(v)
			}
		}
		round(dst[at:end], y)
	}
}

func portableQuantizeFloat[T Float](dst []byte, src []T, g Grid, p *FloatParams) {
	var buf piece
	m, f := p.method(), p.Format
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, y, q := widen(buf.x[:], src[at:end]), buf.y[:end-at], buf.codes[:end-at]
		for r := g.run(at, len(x)); r.from < r.to; r = g.after(r, len(x)) {
			factor := factorAt[T](p, &m, r.group)
			quotients[T](&m, y[r.from:r.to], x[r.from:r.to], factor)
			if m.replaces() {
				m.replaceNaNs(y[r.from:r.to], x[r.from:r.to], factor, f == E2M1Packed)
			}
		}
		m.codes(q, y)
		if f.isPacked() {
			portablePack(dst[f.Bytes(at):][:f.Bytes(len(q))], q, f)
		} else {
			copy(dst[at:], q)
		}
	}
}

func portableDequantizeFloat[T Float](dst []T, src []byte, g Grid, p *FloatParams) {
	var buf piece
	m := p.method()
	for at := 0; at < len(dst); at += pieceLen {
		out := dst[at:min(at+pieceLen, len(dst))]
		y := room(&buf.y, out)
		q := p.Format.codes(&buf.codes, src, at, len(y))
		for r := g.run(at, len(y)); r.from < r.to; r = g.after(r, len(y)) {
			s, y, values := m.valueScale(p.Scale[r.group]), y[r.from:r.to], m.format.values
			for i, q := range q[r.from:r.to] {
				y[i] = oneNaN(values[q] * s)
			}
		}
		round(out, y)
	}
}

// codes returns n codes of a byte or less from element at on, a byte to each.
func (f Format) codes(buf *[pieceLen]byte, src []byte, at, n int) []byte {
	if f.isPacked() {
		portableUnpack(buf[:n], src[f.Bytes(at):], f)
		return buf[:n]
	}
	return src[at:][:n]
}

// codes sets q to the codes of quotients, which are clipped.
func (m *method) codes(q []byte, quotients []float32) {
	f := m.format.float
	mantissa, least, top, sign, nan := uint(f.Mantissa), 1-f.Bias, uint32(f.Top), f.Width-1, byte(0)
	if f.NaN >= 0 {
		nan = byte(f.NaN)
	}
	m.adjust(quotients)
	for i, v := range quotients {
		q[i] = byte(min(minifloat.Magnitude(v, mantissa, least), top) | math.Float32bits(v)>>31<<sign)
		if v != v {
			q[i] = nan
		}
	}
	if f.As != 0 {
		for i, c := range q {
			if c != nan {
				q[i] = e2m1Listed[c]
			}
		}
	}
}

// e2m1Listed has the codes of E2M1, which are those that E4M3FN has for the values, for those of E2M1Packed.
var e2m1Listed = [16]byte{0x00, 0x30, 0x38, 0x3c, 0x40, 0x44, 0x48, 0x4c, 0x80, 0xb0, 0xb8, 0xbc, 0xc0, 0xc4, 0xc8, 0xcc}
