package kernels

import (
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

// cast returns the code of v, which is within the format's range or NaN: for
// E2M1Packed a nibble.
func (f Format) cast(v float32) byte {
	switch f {
	case E4M3FN:
		return byte(fp8.E4M3FNFromFloat32(v))
	case E5M2:
		return byte(fp8.E5M2FromFloat32(v))
	case E2M1Packed:
		return byte(fp4.E2M1FromFloat32(v))
	}
	if v == v {
		v = fp4.E2M1FromFloat32(v).Float32()
	}
	return byte(fp8.E4M3FNFromFloat32(v))
}

// value returns the value of a code.
func (f Format) value(q byte) float32 {
	switch f {
	case E5M2:
		return fp8.E5M2(q).Float32()
	case E2M1Packed:
		return fp4.E2M1(q).Float32()
	}
	return fp8.E4M3FN(q).Float32()
}

func portableFakeQuantizeFloat[T Float](dst []T, mask Mask, src []T, g Grid, p FloatParams) {
	var buf piece
	f := p.Format
	if f == E2M1Packed {
		f = E2M1 // which has a NaN
	}
	hi := f.Max()
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, y, inside := widen(&buf.x, src[at:end]), room(&buf.y, dst[at:end]), buf.inside[:end-at]
		for i := 0; i < len(x); {
			group, next := g.group(at + i)
			s := p.Scale[group]
			for stop := min(next-at, len(x)); i < stop; i++ {
				r := x[i] / s
				inside[i] = bit(-hi <= r && r <= hi)
				y[i] = f.value(f.cast(clamp(r, -hi, hi))) * s
			}
		}
		round(dst[at:end], y)
		mask.put(at, inside)
	}
}

func portableQuantizeFloat[T Float](dst []byte, src []T, g Grid, p FloatParams) {
	var buf piece
	hi := p.Format.Max()
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, q := widen(&buf.x, src[at:end]), buf.inside[:end-at]
		for i := 0; i < len(x); {
			group, next := g.group(at + i)
			s := p.Scale[group]
			for stop := min(next-at, len(x)); i < stop; i++ {
				q[i] = p.Format.cast(clamp(x[i]/s, -hi, hi))
			}
		}
		if p.Format == E2M1Packed {
			portablePack(dst[at/2:][:p.Format.Bytes(len(q))], q, 4)
		} else {
			copy(dst[at:], q)
		}
	}
}

func portableDequantizeFloat[T Float](dst []T, src []byte, g Grid, p FloatParams) {
	var buf piece
	for at := 0; at < len(dst); at += pieceLen {
		end := min(at+pieceLen, len(dst))
		y, q := room(&buf.y, dst[at:end]), buf.inside[:end-at]
		if p.Format == E2M1Packed {
			portableUnpack(q, src[at/2:][:p.Format.Bytes(len(q))], 4)
		} else {
			copy(q, src[at:])
		}
		for i := 0; i < len(y); {
			group, next := g.group(at + i)
			s := p.Scale[group]
			for stop := min(next-at, len(y)); i < stop; i++ {
				y[i] = p.Format.value(q[i]) * s
			}
		}
		round(dst[at:end], y)
	}
}
