package kernels

func portableFakeQuantizeInt[T Float](dst []T, mask Mask, src []T, g Grid, p Int) {
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

func portableQuantizeInt[C Code, T Float](dst []C, src []T, g Grid, p Int) {
	var buf piece
	lo, hi := float32(p.Min), float32(p.Max)
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, q := widen(&buf.x, src[at:end]), dst[at:end]
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
}

func portableDequantizeInt[T Float, C Code](dst []T, src []C, g Grid, p Int) {
	var buf piece
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		q, y := src[at:end], room(&buf.y, dst[at:end])
		for i := 0; i < len(q); {
			group, next := g.group(at + i)
			s, qo, fo := p.group(group)
			for stop := min(next-at, len(q)); i < stop; i++ {
				y[i] = float32((float32(q[i])-qo)*s) + fo
			}
		}
		round(dst[at:end], y)
	}
}
