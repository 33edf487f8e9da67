package gguf

// weigh writes the weights that an importance matrix gives elements: importance * sqrt(mean + x*x).
func weigh(w, x, im []float32, mean float32) {
	w, im = w[:len(x)], im[:len(x)]
	for i, v := range x {
		w[i] = float32(im[i] * sqrt32(mean+float32(v*v)))
	}
}

// rootWeights writes the weights of a group of Q4_K or Q5_K: abs(x) + the root of the mean of the squares.
func rootWeights(w, x []float32) {
	root := sqrt32(sumSquares(x) / float32(len(x)))
	for i, v := range x {
		w[i] = root + abs32(v)
	}
}

// squares writes the squares of elements.
func squares(w, x []float32) {
	w = w[:len(x)]
	for i, v := range x {
		w[i] = float32(v * v)
	}
}

// sumSquares is the sum of the squares, in order.
func sumSquares(x []float32) (sum float32) {
	for _, v := range x {
		sum += float32(v * v)
	}
	return sum
}

// weighing says what the errors of the elements of a piece are weighed by.
type weighing struct {
	kind       int
	importance []float32
	means      [pieceLen / 16]float32 // of the squares, for each group
}

// What the weights are made of.
const (
	byRoot        = iota // abs(x) + the root of the mean of the group's squares
	byMagnitude          // abs(x)
	bySquare             // x*x
	byImportance         // importance * the root of a mean + x*x
	byNothingElse        // the importance alone
)

// group writes the weights of a group.
func (w *weighing) group(dst, x []float32, g int) {
	switch at := g * len(x); w.kind {
	case byRoot:
		rootWeights(dst, x)
	case byMagnitude:
		for i, v := range x {
			dst[i] = abs32(v)
		}
	case bySquare:
		squares(dst, x)
	case byImportance:
		weigh(dst, x, w.importance[at:], w.means[g])
	case byNothingElse:
		copy(dst, w.importance[at:at+len(x)])
	}
}

// byMeans weighs by importance and a factor times the mean of the squares of each 256 elements.
func (w *weighing) byMeans(x, im []float32, length int, factor float32) {
	w.kind, w.importance = byImportance, im
	groups := 256 / length
	sumsOfSquares(x, 256, func(block int, sum float32) {
		mean := float32(factor*sum) / 256
		for g := range groups {
			w.means[groups*block+g] = mean
		}
	})
}

// sumsOfSquares visits blocks of so many elements, with the sum of the squares of each.
func sumsOfSquares(x []float32, length int, visit func(block int, sum float32)) {
	for first := 0; len(x) > 0; first += 8 {
		var sums [8]float32
		blocks := min(len(x)/length, len(sums))
		if blocks == len(sums) {
			var parts [8][]float32
			for i := range parts {
				parts[i] = x[length*i:][:length]
			}
			addSquares(&sums, &parts)
		} else {
			for i := range blocks {
				sums[i] = sumSquares(x[length*i:][:length])
			}
		}
		for i, sum := range sums[:blocks] {
			visit(first+i, sum)
		}
		x = x[length*blocks:]
	}
}

// addSquares adds the squares of elements to eight sums side by side: each sum waits for itself. The length of the fifth slice is looked at in the
// loop, which keeps the compiler from computing all squares first: one of the sums would leave its register for that.
func addSquares(sums *[8]float32, x *[8][]float32) {
	n := len(x[0])
	x0, x1, x2, x3, x4, x5, x6, x7 := x[0][:n], x[1][:n], x[2][:n], x[3][:n], x[4], x[5][:n], x[6][:n], x[7][:n]
	a, b, c, d, e, f, g, h := sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]
	for i := range n {
		a += float32(x0[i] * x0[i])
		b += float32(x1[i] * x1[i])
		c += float32(x2[i] * x2[i])
		d += float32(x3[i] * x3[i])
		e += float32(x4[i] * x4[i])
		f += float32(x5[i] * x5[i])
		g += float32(x6[i] * x6[i])
		h += float32(x7[i] * x7[i])
	}
	*sums = [8]float32{a, b, c, d, e, f, g, h}
}
