package kernels

// SumMagnitudes writes the sum of |x| of each group, over all rows, in ErrorInt's
// order.
func SumMagnitudes[T Float](dst []float64, src []T, g Grid) {
	g.check("SumMagnitudes", "src", len(src))
	checkLen("SumMagnitudes", "dst", len(dst), g.Groups)
	var buf, magnitudes [pieceLen]float32
	for group := range g.Groups {
		var s orderedSum
		for row := range g.Rows {
			at := (row*g.Groups + group) * g.Len
			for end := at + g.Len; at < end; at += pieceLen {
				x := widen(buf[:], src[at:min(at+pieceLen, end)])
				for i, v := range x {
					magnitudes[i] = max(v, -v)
				}
				s.add(magnitudes[:len(x)])
			}
		}
		dst[group] = s.sum()
	}
}

// AddSquares adds the squares of a matrix's elements to the sums of its columns,
// row by row: each square is exact in float64, each sum rounded to it. len(src)
// is a multiple of len(sums).
func AddSquares[T Float](sums []float64, src []T) {
	if len(sums) == 0 && len(src) > 0 || len(sums) > 0 && len(src)%len(sums) != 0 {
		fail("AddSquares", "len(src)=%d, want a multiple of len(sums)=%d", len(src), len(sums))
	}
	var buf [pieceLen]float32
	for column := 0; len(src) > 0; {
		n := min(pieceLen, len(src), len(sums)-column)
		into := sums[column:][:n]
		for i, v := range widen(buf[:], src[:n]) {
			into[i] += float64(float64(v) * float64(v))
		}
		if column += n; column == len(sums) {
			column = 0
		}
		src = src[n:]
	}
}
