package kernels

import (
	"encoding/binary"
	"unsafe"
)

func portableFakeQuantizeInt[T Float](dst []T, mask Mask, src []T, g Grid, p *IntParams) {
	var buf piece
	lo, hi := float32(p.Min), float32(p.Max)
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, y, inside := widen(&buf.x, src[at:end]), room(&buf.y, dst[at:end]), buf.inside[:end-at]
		for i := 0; i < len(x); {
			group, next := g.group(at + i)
			s, qo, fo := p.group(group)
			for stop := min(next-at, len(x)); i < stop; i++ {
				r := integerBy[T](p.Dialect, x[i], s, qo, fo)
				inside[i] = bit(lo <= r && r <= hi)
				y[i] = float32((p.Dialect.rounded(clamp(r, lo, hi))-qo)*s) + fo
			}
		}
		round(dst[at:end], y)
		mask.put(at, inside)
	}
}

// Codes are made in pieces, an element each, and then put where they belong.
func portableQuantizeInt[T Float](dst []byte, src []T, g Grid, p *IntParams, f Format) {
	var codes [pieceLen]byte
	var wide [pieceLen]uint16
	for at := 0; at < len(src); at += pieceLen {
		x := src[at:min(at+pieceLen, len(src))]
		out := dst[f.Bytes(at):][:f.Bytes(len(x))]
		if f.Bits() > 8 {
			quantizePiece(wide[:len(x)], x, at, g, p)
			for i, q := range wide[:len(x)] {
				binary.LittleEndian.PutUint16(out[2*i:], q)
			}
			continue
		}
		q := codes[:len(x)]
		quantizePiece(q, x, at, g, p)
		if f.isPacked() {
			portablePack(out, q, f)
		} else {
			copy(out, q)
		}
	}
}

// quantizePiece writes the codes of the elements from at on, negative ones in two's complement.
func quantizePiece[Q byte | uint16, T Float](q []Q, src []T, at int, g Grid, p *IntParams) {
	var buf [pieceLen]float32
	x, lo, hi := widen(&buf, src), float32(p.Min), float32(p.Max)
	for i := 0; i < len(x); {
		group, next := g.group(at + i)
		s, qo, fo := p.group(group)
		for stop := min(next-at, len(x)); i < stop; i++ {
			r := integerBy[T](p.Dialect, x[i], s, qo, fo)
			if r != r {
				q[i] = 0
				continue
			}
			q[i] = Q(int(p.Dialect.rounded(clamp(r, lo, hi))))
		}
	}
}

func portableDequantizeInt[T Float](dst []T, src []byte, g Grid, p *IntParams, f Format) {
	var codes [pieceLen]byte
	var buf [pieceLen]float32
	for at := 0; at < len(dst); at += pieceLen {
		out := dst[at:min(at+pieceLen, len(dst))]
		q, y := codes[:len(out)], room(&buf, out)
		if f.isPacked() {
			portableUnpack(q, src[f.Bytes(at):], f)
		} else {
			copy(q, src[at:])
		}
		for i := 0; i < len(q); {
			group, next := g.group(at + i)
			s, qo, fo := p.group(group)
			for stop := min(next-at, len(q)); i < stop; i++ {
				code := float32(q[i])
				if f.isSigned() {
					code = float32(int8(q[i]))
				}
				y[i] = float32((code-qo)*s) + fo
			}
		}
		round(out, y)
	}
}

// portableDequantizeWide is for codes of two bytes, in elements of two or in bytes.
func portableDequantizeWide[T Float, C IntCode](dst []T, src []C, g Grid, p *IntParams, f Format) {
	var buf [pieceLen]float32
	typed := unsafe.Sizeof(*new(C)) == 2
	for at := 0; at < len(dst); at += pieceLen {
		out := dst[at:min(at+pieceLen, len(dst))]
		y := room(&buf, out)
		for i := 0; i < len(out); {
			group, next := g.group(at + i)
			s, qo, fo := p.group(group)
			for stop := min(next-at, len(out)); i < stop; i++ {
				var q uint16
				if typed {
					q = uint16(src[at+i])
				} else {
					q = uint16(src[2*(at+i)]) | uint16(src[2*(at+i)+1])<<8
				}
				code := float32(q)
				if f.isSigned() {
					code = float32(int16(q))
				}
				y[i] = float32((code-qo)*s) + fo
			}
		}
		round(out, y)
	}
}

// integerBy returns what an element becomes before it is clamped: an integer, but
// with compressed-tensors, which rounds after that.
func integerBy[T Float](d Dialect, x, s, qo, fo float32) float32 {
	switch d {
	case CompressedTensors:
		return to[T](to[T](x/s) + qo)
	case CompressedTensorsF32:
		return x/s + qo
	case Torch:
		return roundToEven(x*float32(1/s)) + qo
	}
	return roundToEven((x-fo)/s) + qo
}

// rounded makes an integer of what was clamped.
func (d Dialect) rounded(r float32) float32 {
	if d == CompressedTensors || d == CompressedTensorsF32 {
		return roundToEven(r)
	}
	return r
}
