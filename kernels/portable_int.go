package kernels

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
				r := roundToEven((x[i]-fo)/s) + qo
				inside[i] = bit(lo <= r && r <= hi)
				y[i] = float32((clamp(r, lo, hi)-qo)*s) + fo
			}
		}
		round(dst[at:end], y)
		mask.put(at, inside)
	}
}

// A packed code is one that has a byte, packed.
func portableQuantizeInt[T Float](dst []byte, src []T, g Grid, p *IntParams, f Format) {
	var codes [pieceLen]byte
	for at := 0; at < len(src); at += pieceLen {
		x := src[at:min(at+pieceLen, len(src))]
		q := codes[:len(x)]
		quantizePiece(q, x, at, g, p)
		if out := dst[f.Bytes(at):][:f.Bytes(len(x))]; f.isPacked() {
			portablePack(out, q, f)
		} else {
			copy(out, q)
		}
	}
}

// quantizePiece writes the codes of the elements from at on, negative ones in two's complement.
func quantizePiece[T Float](q []byte, src []T, at int, g Grid, p *IntParams) {
	var buf [pieceLen]float32
	x, lo, hi := widen(&buf, src), float32(p.Min), float32(p.Max)
	for i := 0; i < len(x); {
		group, next := g.group(at + i)
		s, qo, fo := p.group(group)
		for stop := min(next-at, len(x)); i < stop; i++ {
			r := roundToEven((x[i]-fo)/s) + qo
			if r != r {
				q[i] = 0
				continue
			}
			q[i] = byte(int(clamp(r, lo, hi)))
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
