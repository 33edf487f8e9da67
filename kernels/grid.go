package kernels

import "math/bits"

// Grid says how a slice is cut into groups: Rows rows, each of Groups adjacent
// groups of Len adjacent elements. Group g of every row has element g of each
// parameter slice. The slice has Rows*Groups*Len elements.
type Grid struct{ Rows, Groups, Len int }

// check panics unless the grid has n elements, the length of the slice of that name.
func (g Grid) check(kernel, name string, n int) {
	if !g.isVector(n) { // a vector: the other way takes long beside it
		g.count(kernel, name, n)
	}
}

// count is check for any grid.
//
//go:noinline
func (g Grid) count(kernel, name string, n int) {
	if g.Rows < 0 || g.Groups < 0 || g.Len < 0 {
		fail(kernel, "%+v is negative", g)
	}
	over, size := bits.Mul(uint(g.Rows), uint(g.Groups))
	over2, size := bits.Mul(size, uint(g.Len))
	if g.Len > 0 && over > 0 || over2 > 0 || int(size) < 0 {
		fail(kernel, "%+v has more elements than an int can count", g)
	}
	if n != int(size) {
		failLen(kernel, name, n, int(size))
	}
}

// group returns the group of element i, and the element at which the next group begins.
func (g Grid) group(i int) (group, end int) {
	k := i / g.Len
	return k % g.Groups, (k + 1) * g.Len
}

// run is the part from:to of a piece, of elements of one group.
type run struct{ group, from, to int }

// run returns the first of a piece of n elements from at on.
func (g Grid) run(at, n int) run {
	group, end := g.group(at)
	return run{group, 0, min(end-at, n)}
}

// after returns the run behind another, which is empty behind the last.
func (g Grid) after(r run, n int) run {
	if r.group++; r.group == g.Groups {
		r.group = 0
	}
	return run{r.group, r.to, min(r.to+g.Len, n)}
}

// inBytes reports whether every group, or every row of groups of one element,
// begins at a byte if elements have so many bits.
func (g Grid) inBytes(bits int) bool {
	if bits >= 8 || g.Rows == 1 && g.Groups == 1 {
		return true
	}
	last := perByte(bits) - 1
	return g.Len&last == 0 || g.Len == 1 && (g.Rows == 1 || g.Groups&last == 0)
}

// merged returns a grid of the same groups with as few rows as can be.
func (g Grid) merged() Grid {
	if g.Groups == 1 {
		return Grid{Rows: 1, Groups: 1, Len: g.Rows * g.Len}
	}
	return g
}

// perByte returns after how many elements of so many bits one begins at a byte again: a
// power of two. It does not divide, as a division takes as long as some hundred elements.
func perByte(bits int) int {
	switch bits {
	case 1:
		return 8
	case 2, 6:
		return 4
	case 4:
		return 2
	}
	return 1
}
