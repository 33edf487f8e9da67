package kernels

func portableFakeQuantizeInt[T Float](dst []T, mask Mask, src []T, g Grid, p IntParams) {
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

func portableQuantizeInt[C Code, T Float](dst []C, src []T, g Grid, p IntParams) {
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		quantizePiece(dst[at:end], src[at:end], at, g, p)
	}
}

// quantizePiece does the elements from at on.
func quantizePiece[C Code, T Float](q []C, src []T, at int, g Grid, p IntParams) {
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
			q[i] = C(clamp(r, lo, hi))
		}
	}
}

// A packed code is one that has a byte, packed.
func portableQuantizeIntPacked[T Float](dst []byte, src []T, g Grid, p IntParams, f Packing) {
	if f.signed() {
		portableQuantizePacked[int8](dst, src, g, p, f)
	} else {
		portableQuantizePacked[uint8](dst, src, g, p, f)
	}
}

func portableQuantizePacked[C Code, T Float](dst []byte, src []T, g Grid, p IntParams, f Packing) {
	var codes [pieceLen]C
	for at := 0; at < len(src); at += pieceLen {
		x := src[at:min(at+pieceLen, len(src))]
		quantizePiece(codes[:len(x)], x, at, g, p)
		portablePack(dst[f.Bytes(at):][:f.Bytes(len(x))], codes[:len(x)], f.bits())
	}
}

func portableDequantizeIntPacked[T Float](dst []T, src []byte, g Grid, p IntParams, f Packing) {
	if f.signed() {
		portableDequantizePacked[T, int8](dst, src, g, p, f)
	} else {
		portableDequantizePacked[T, uint8](dst, src, g, p, f)
	}
}

func portableDequantizePacked[T Float, C Code](dst []T, src []byte, g Grid, p IntParams, f Packing) {
	var codes [pieceLen]C
	for at := 0; at < len(dst); at += pieceLen {
		y := dst[at:min(at+pieceLen, len(dst))]
		portableUnpack(codes[:len(y)], src[f.Bytes(at):], f.bits())
		dequantizePiece(y, codes[:len(y)], at, g, p)
	}
}

func portableDequantizeInt[T Float, C Code](dst []T, src []C, g Grid, p IntParams) {
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		dequantizePiece(dst[at:end], src[at:end], at, g, p)
	}
}

// dequantizePiece does the elements from at on.
func dequantizePiece[T Float, C Code](dst []T, q []C, at int, g Grid, p IntParams) {
	var buf [pieceLen]float32
	y := room(&buf, dst)
	for i := 0; i < len(q); {
		group, next := g.group(at + i)
		s, qo, fo := p.group(group)
		for stop := min(next-at, len(q)); i < stop; i++ {
			y[i] = float32((float32(q[i])-qo)*s) + fo
		}
	}
	round(dst, y)
}
