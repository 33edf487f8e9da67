package gguf

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// searchedGroups is how many groups are searched side by side by generated code.
const searchedGroups = 64

// lanes is a batch of groups that are searched side by side: element i of group g is at searchedGroups*i + g. A lane has the sums of its group in
// the order of the elements, so they are those of the portable search. Groups that are out of the ordinary, in which a number is no number or rounds
// in another way, are left to that.
type lanes struct {
	x, w   [32]row
	_      [8]row // a row of l is not a multiple of 4096 bytes behind the same one of x or w, or its store would delay their loads
	l      [32]row
	roots  row
	ranged [asm.RangedAll]row
	signed [asm.SignedAll]row
	tries  [40][4]float32
	count  int // of tries
}

var infinity = float32(math.Inf(1))

// row has one number of each group.
type row [searchedGroups]float32

// all sets the number of every group.
func (r *row) all(v float32) {
	for g := range r {
		r[g] = v
	}
}

// load puts groups side by side.
func load(impl asm.ISA, rows *[32]row, x []float32, length int) {
	kind := asm.Turned16
	if length == 32 {
		kind = asm.Turned32
	}
	g := 0
	for ; len(x) >= 4*length; g, x = g+4, x[4*length:] {
		asm.Turn(impl, kind, &rows[0][g], &x[0], length/4)
	}
	for ; len(x) > 0; g, x = g+1, x[length:] {
		for i, v := range x[:length] {
			rows[i][g] = v
		}
	}
}

// weigh loads the elements of some groups, of which the first is group g of its piece, and finds their weights.
func (b *lanes) weigh(impl asm.ISA, w *weighing, x []float32, g, length int) {
	groups := len(x) / length
	load(impl, &b.x, x, length)
	var kind asm.Weight
	switch w.kind {
	case byRoot:
		b.tries[0][0] = 1. / 32
		asm.SquareRoots(impl, &b.x[0][0], &b.roots[0], &b.tries[0][0], 1, length, 4*groups)
	case byMagnitude:
		b.roots.all(0)
	case bySquare:
		kind = asm.WeightSquare
	case byImportance:
		kind = asm.WeightImportance
		load(impl, &b.l, w.importance[g*length:][:len(x)], length)
		copy(b.roots[:], w.means[g:])
	case byNothingElse:
		load(impl, &b.w, w.importance[g*length:][:len(x)], length)
		return
	}
	asm.Weights(impl, kind, &b.w[0][0], &b.x[0][0], &b.l[0][0], &b.roots[0], &b.tries[0][0], 1, length, 4*groups)
}

// begin takes the tries of a search.
func (b *lanes) begin(first [4]float32) {
	b.tries[0], b.count = first, 1
}

func (b *lanes) add(try [4]float32) {
	b.tries[b.count] = try
	b.count++
}

// searchBatch is search for at most searchedGroups groups, of which the first is group g of the piece.
func (s *rangedSearch) searchBatch(impl asm.ISA, f *fits, x []float32, g, length int) {
	b, groups := &f.lanes, len(x)/length
	b.weigh(impl, &f.weighing, x, g, length)
	b.begin([4]float32{s.n, s.n, 1})
	for k := range s.steps + 1 {
		b.add([4]float32{s.from + float32(s.step*float32(k)) + s.n, s.n})
	}
	b.tries[b.count] = [4]float32{}
	at, choice := &b.ranged, 0
	at[asm.RangedLow].all(infinity)
	at[asm.RangedHigh].all(-infinity)
	at[asm.RangedBest].all(infinity)
	if s.absolute {
		choice = 1
	}
	asm.RangedSearch(impl, &b.l[0][0], &b.x[0][0], &b.w[0][0], &at[0][0], &b.tries[0][0], b.count, length, 4*groups, choice)
	for i := range groups {
		fit := &f.ranged[g+i]
		if at[asm.RangedUsual][i] != 0 {
			*fit = rangedFit{scale: at[asm.RangedFitScale][i], least: -at[asm.RangedLeast][i], inverse: at[asm.RangedFitInverse][i], base: at[asm.RangedFitBase][i]}
			f.sums[g+i] = at[asm.RangedWeights][i]
			f.largest[g+i] = max(at[asm.RangedHigh][i], -at[asm.RangedLow][i])
		} else {
			f.searchRangedGroup(s, x[i*length:][:length], g+i)
		}
	}
}

// searchSymmetricBatch is searchSymmetric for such groups.
func searchSymmetricBatch(impl asm.ISA, f *fits, x []float32, g, length int, n float32) {
	b := &f.lanes
	b.begin([4]float32{-n, 0, n - 1, -n})
	for k := -9; k <= 9; k++ {
		if k != 0 {
			b.add([4]float32{-(n + float32(0.1*float32(k))), 0, n - 1, -n})
		}
	}
	b.searchScale(impl, f, x, g, length, 0)
	at := &b.signed
	for i := range len(x) / length {
		if at[asm.SignedUsual][i] != 0 {
			f.symmetric[g+i] = symmetricFit{scale: at[asm.SignedScale][i], inverse: at[asm.SignedFitted][i]}
			f.sums[g+i] = at[asm.SignedWeights][i]
			f.largest[g+i] = abs32(at[asm.SignedMost][i])
		} else {
			f.searchSymmetricGroup(x[i*length:][:length], g+i, n)
		}
	}
}

// searchIQ4Batch is searchIQ4 for such groups.
func searchIQ4Batch(impl asm.ISA, f *fits, x []float32, g int) {
	b := &f.lanes
	b.begin([4]float32{0, 127})
	for k := -7; k <= 7; k++ {
		b.add([4]float32{float32(k) - 127})
	}
	b.searchScale(impl, f, x, g, 32, 1)
	at := &b.signed
	for i := range len(x) / 32 {
		if at[asm.SignedUsual][i] != 0 {
			f.symmetric[g+i].scale = at[asm.SignedScale][i]
		} else {
			f.searchIQ4Group(x[i*32:][:32], g+i)
		}
	}
}

func (b *lanes) searchScale(impl asm.ISA, f *fits, x []float32, g, length, choice int) {
	first := b.tries[0] // the weights have one too
	b.weigh(impl, &f.weighing, x, g, length)
	b.tries[0], b.tries[b.count] = first, [4]float32{}
	at := &b.signed
	at[asm.SignedMost].all(0)
	at[asm.SignedBest].all(-infinity)
	asm.ScaleSearch(impl, &b.x[0][0], &b.w[0][0], &at[0][0], &b.tries[0][0], b.count, length, 4*(len(x)/length), choice)
}

// searchQuickBatch is searchQuick for the groups of sixteen of Q3_K; it leaves their codes in f.
func searchQuickBatch(impl asm.ISA, f *fits, x []float32, g int) {
	const n, length = 4, 16
	b, groups := &f.lanes, len(x)/length
	at := &b.signed
	load(impl, &b.x, x, length)
	at[asm.SignedMost].all(0)
	asm.CodeSearch(impl, &b.l[0][0], &b.x[0][0], &at[0][0], &b.tries[0][0], 5, length, 4*groups)
	for i := range groups {
		codes := f.codes[length*(g+i):][:length]
		if at[asm.SignedUsual][i] == 0 {
			f.searchQuickGroup(x[length*i:][:length], g+i)
			continue
		}
		scale := float32(0)
		if d := at[asm.SignedB][i]; d > 0 {
			scale = at[asm.SignedA][i] / d
		}
		f.symmetric[g+i].scale, f.largest[g+i] = scale, abs32(at[asm.SignedMost][i])
		for k := range codes {
			codes[k] = byte(int32(b.l[k][i]) + n)
		}
	}
}
