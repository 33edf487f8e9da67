package quant

import (
	"iter"
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
)

// tiling says where a tensor's groups lie in memory, in the terms of the kernels.
//
// With n groups of b elements along an axis, a row-major tensor is a nest of loops n0, b0, n1, b1, ... in which the n select a group
// and the b run within it. Neighbours of a kind are one loop, and loops of one step are none, so that n and b alternate. Then the
// innermost three are a kernels.Grid: Len (a b, 1 if there is none), Groups (an n), Rows (a b); the others repeat it.
type tiling struct {
	groups []int // number of groups along each axis: the parameters' shape
	shape  []int // of the tensor
	size   int   // number of elements
	count  int   // number of groups
	loops  []loop
	grid   kernels.Grid
	// Groups before and after a multiple of apart elements are different ones, perApart from one to the next. It is size if there is no such place.
	apart, perApart int
	whole           bool // tensor, rather than a part of one
	// Of a part of a tensor (see part): its first element and its first group. What spans yield counts from them.
	first, firstGroup int

	edge *edge // nil if all blocks of an axis are of one size
}

// edge is a tensor with a last block that is shorter than the others. At each index of the axes before that one, the elements of whole
// blocks, and after them those of the last, are tensors whose groups are all of one size.
type edge struct {
	full, last tiling
	lastGroup  int // the first group of last, counted from that of full
	axes       []edgeAxis
	shape      []int
	blocks     []int
}

// edgeAxis is an axis before that of the edge, innermost first.
type edgeAxis struct{ steps, block, groups int }

// resolveBlocks is resolve for blocks of which the last along an axis may be shorter; nil are none.
func (t *tiling) resolveBlocks(shape, groups, blocks []int) {
	axis := -1
	for i := range blocks {
		if groups[i]*blocks[i] != shape[i] {
			axis = i // the innermost
		}
	}
	if axis < 0 {
		t.resolve(shape, groups)
		return
	}
	e := &edge{shape: copyShape(nil, shape), blocks: copyShape(nil, blocks)}
	n := groups[axis] - 1
	inner := copyShape(nil, shape[axis:])
	innerGroups := copyShape(nil, groups[axis:])
	inner[0], innerGroups[0] = shape[axis]-n*blocks[axis], 1
	e.last.resolve(inner, innerGroups)
	if n > 0 {
		inner[0], innerGroups[0] = n*blocks[axis], n
		e.full.resolve(inner, innerGroups)
	}
	e.lastGroup = e.full.count
	*t = tiling{shape: copyShape(t.shape, shape), groups: copyShape(t.groups, groups), edge: e}
	t.size, t.count = e.full.size+e.last.size, e.full.count+e.last.count
	t.grid = kernels.Grid{Rows: 1, Groups: 1, Len: t.size}
	t.apart, t.perApart = t.size, t.count
	if axis == 0 {
		t.apart, t.perApart = t.size/shape[0]*blocks[0], t.count/groups[0]
	}
	for i := axis - 1; i >= 0; i-- {
		e.axes = append(e.axes, edgeAxis{shape[i], blocks[i], t.count})
		switch {
		case i > 0 && shape[i]%blocks[i] != 0:
			t.apart, t.perApart = t.size*shape[i], t.count*groups[i]
		case blocks[i] > 1:
			t.apart, t.perApart = t.size*blocks[i], t.count
		}
		t.size *= shape[i]
		t.count *= groups[i]
	}
	t.apart, t.perApart = min(t.apart, t.size), min(t.perApart, t.count)
}

// edgeSpan is span where there is an edge; it counts from the whole tensor's first element and group.
func (t *tiling) edgeSpan(lo, hi int) span {
	e := t.edge
	each := e.full.size + e.last.size
	index, at := lo/each, lo%each
	group := 0
	for _, a := range e.axes {
		group += index % a.steps / a.block * a.groups
		index /= a.steps
	}
	of := &e.full
	if at >= e.full.size {
		of, at, group = &e.last, at-e.full.size, group+e.lastGroup
	}
	s := of.span(at, min(at+hi-lo, of.size))
	s.at, s.group = lo, s.group+group
	return s
}

// loop repeats what is within it.
type loop struct {
	steps int
	group int // number of groups from one step to the next, 0 where each step has the same groups
}

// resolve lays out the tiling of a tensor with elements, if it is not laid out so already. It reuses the slices of t.
func (t *tiling) resolve(shape, groups []int) {
	if t.whole && slices.Equal(t.shape, shape) && slices.Equal(t.groups, groups) {
		return
	}
	t.whole = true
	t.shape, t.groups = copyShape(t.shape, shape), copyShape(t.groups, groups)
	t.size, t.count, t.loops = 1, 1, t.loops[:0]
	t.first, t.firstGroup, t.edge = 0, 0, nil
	selects := func(l loop) bool { return l.group > 0 }
	for i := len(shape) - 1; i >= 0; i-- { // innermost first; reversed below
		within, among := loop{steps: shape[i] / groups[i]}, loop{steps: groups[i], group: t.count}
		for _, l := range [2]loop{within, among} {
			switch last := len(t.loops) - 1; {
			case l.steps == 1:
			case last >= 0 && selects(t.loops[last]) == selects(l):
				t.loops[last].steps *= l.steps
			default:
				t.loops = append(t.loops, l)
			}
		}
		t.size *= shape[i]
		t.count *= groups[i]
	}
	t.apart, t.perApart = t.size, t.count
	if n := len(t.loops); n > 0 && selects(t.loops[n-1]) {
		t.apart, t.perApart = t.size/t.loops[n-1].steps, t.count/t.loops[n-1].steps
	}
	rest := t.loops
	take := func(ofGroups bool) int {
		if len(rest) == 0 || selects(rest[0]) != ofGroups {
			return 1
		}
		steps := rest[0].steps
		rest = rest[1:]
		return steps
	}
	t.grid.Len = take(false)
	t.grid.Groups = take(true)
	t.grid.Rows = take(false)
	t.loops = t.loops[:copy(t.loops, rest)]
}

// part makes t the tiling of a part of a tensor: of size elements from first on, and of count groups from group on, to which they belong.
func (t *tiling) part(whole *tiling, first, size, group, count int) {
	t.whole = false
	t.groups = copyShape(t.groups, whole.groups)
	t.loops, t.grid, t.apart, t.perApart = append(t.loops[:0], whole.loops...), whole.grid, whole.apart, whole.perApart
	t.first, t.size, t.firstGroup, t.count, t.edge = first, size, group, count, whole.edge
}

// even tells whether the kernels' grid is the whole tensor.
func (t *tiling) even() bool { return len(t.loops) == 0 && t.edge == nil }

// contiguous tells whether group g is the elements [g*Len, (g+1)*Len).
func (t *tiling) contiguous() bool { return t.even() && t.grid.Rows == 1 }

// runs yields the runs of adjacent elements that a group has, in row-major order: the first element and how many there are. Of a part of a
// tensor, groups and elements count from its own.
func (t *tiling) runs(g int) iter.Seq2[int, int] {
	return func(yield func(at, n int) bool) {
		if t.edge != nil {
			t.edge.runs(t.firstGroup+g, t.groups, func(at, n int) bool { return yield(at-t.first, n) })
			return
		}
		for i := range t.size / t.count / t.grid.Len {
			if !yield(t.run(g, i), t.grid.Len) {
				return
			}
		}
	}
}

// run returns the first element of the i-th run of group g.
func (t *tiling) run(g, i int) int {
	row := t.grid.Groups * t.grid.Len
	at := g%t.grid.Groups*t.grid.Len + i%t.grid.Rows*row
	g, i = g/t.grid.Groups, i/t.grid.Rows
	stride := t.grid.Rows * row
	for _, l := range t.loops { // innermost first
		which := &i
		if l.group > 0 {
			which = &g
		}
		at += *which % l.steps * stride
		*which /= l.steps
		stride *= l.steps
	}
	return at
}

// runs is tiling.runs.
func (e *edge) runs(g int, groups []int, yield func(at, n int) bool) {
	rank := len(e.shape)
	first, length, stride := make([]int, rank), make([]int, rank), make([]int, rank)
	step := 1
	for i := rank - 1; i >= 0; i-- {
		first[i] = g % groups[i] * e.blocks[i]
		length[i] = min(e.blocks[i], e.shape[i]-first[i])
		g /= groups[i]
		stride[i] = step
		step *= e.shape[i]
	}
	var walk func(axis, at int) bool
	walk = func(axis, at int) bool {
		at += first[axis] * stride[axis]
		if axis == rank-1 {
			return yield(at, length[axis])
		}
		for i := range length[axis] {
			if !walk(axis+1, at+i*stride[axis]) {
				return false
			}
		}
		return true
	}
	walk(0, 0)
}

// span is a run of elements that one kernel call does: those from at on, with the parameters from group on.
type span struct {
	at, group int
	grid      kernels.Grid
}

func (s span) len() int { return s.grid.Rows * s.grid.Groups * s.grid.Len }

// spans yields the elements [lo, hi) in as few spans as there are.
func (t *tiling) spans(lo, hi int) iter.Seq[span] {
	return func(yield func(span) bool) {
		for lo < hi {
			s := t.span(lo, hi)
			if !yield(s) {
				return
			}
			lo += s.len()
		}
	}
}

// span returns the longest span that begins at lo and ends by hi.
func (t *tiling) span(lo, hi int) span {
	if t.edge != nil {
		s := t.edgeSpan(t.first+lo, t.first+hi)
		s.at, s.group = lo, s.group-t.firstGroup
		return s
	}
	g := t.grid
	row := g.Groups * g.Len
	piece, inPiece := (t.first+lo)/(g.Rows*row), (t.first+lo)%(g.Rows*row)
	s := span{at: lo, group: -t.firstGroup}
	for _, l := range t.loops { // innermost first
		s.group += piece % l.steps * l.group
		piece /= l.steps
	}
	inRow, inGroup, left := inPiece%row, inPiece%g.Len, hi-lo
	s.group += inRow / g.Len
	switch {
	case inGroup > 0 || left < g.Len: // within a group
		s.grid = kernels.Grid{Rows: 1, Groups: 1, Len: min(g.Len-inGroup, left)}
	case inRow > 0 || left < row: // within a row
		s.grid = kernels.Grid{Rows: 1, Groups: min((row-inRow)/g.Len, left/g.Len), Len: g.Len}
	default:
		s.grid = kernels.Grid{Rows: min(g.Rows-inPiece/row, left/row), Groups: g.Groups, Len: g.Len}
	}
	return s
}
