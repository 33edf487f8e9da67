package gguf

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// searchedGroups is how many groups are searched side by side by generated code.
const searchedGroups = 64

// turnedGroups is how many are put side by side at a time.
const turnedGroups = 16

// lanes is a batch of groups that are searched side by side: element i of group g is at searchedGroups*i + g. A lane has the sums of its group in
// the order of the elements, so they are those of the portable search. Groups that are out of the ordinary, in which a number is no number or rounds
// in another way, are left to that.
type lanes struct {
	x, w   [32]row
	_      [searchedGroups / 2]float32 // a row of l is not a multiple of 4096 bytes behind the same one of x or w, or its store would delay their loads
	l      [32]row
	roots  row
	ranged [asm.RangedAll]row
	signed [asm.SignedAll]row
	tries  [40][4]float32
	rest   [32 * turnedGroups]float32

	gathered [pieceLen]float32 // groups that are searched again

	count int        // of tries
	mean  [4]float32 // a try of SquareRoots
}

var infinity = float32(math.Inf(1))

// row has one number of each group.
type row [searchedGroups]float32

// What numbers are at first.
var infinities, minusInfinities = rowOf(infinity), rowOf(-infinity)

func rowOf(v float32) (r row) {
	for g := range r {
		r[g] = v
	}
	return r
}

// load puts groups side by side.
func (b *lanes) load(impl asm.ISA, rows *[32]row, x []float32, length int) {
	kind := asm.Turned16
	if length == 32 {
		kind = asm.Turned32
	}
	for g := 0; len(x) > 0; g += turnedGroups {
		if len(x) < turnedGroups*length {
			copy(b.rest[:], x)
			x = b.rest[:turnedGroups*length]
		}
		asm.Turn(impl, kind, &rows[0][g], &x[0], length/4)
		x = x[turnedGroups*length:]
	}
}

// weigh loads the elements of some groups, of which the first is group g of its piece, and finds their weights.
func (b *lanes) weigh(impl asm.ISA, w *weighing, x []float32, g, length int) {
	groups := len(x) / length
	b.load(impl, &b.x, x, length)
	var kind asm.Weight
	switch w.kind {
	case byRoot:
		b.mean[0] = 1. / 32
		asm.SquareRoots(impl, &b.x[0][0], &b.roots[0], &b.mean[0], 1, length, 4*groups)
	case byMagnitude:
		b.roots = row{}
	case bySquare:
		kind = asm.WeightSquare
	case byImportance:
		kind = asm.WeightImportance
		b.load(impl, &b.l, w.importance[g*length:][:len(x)], length)
		copy(b.roots[:], w.means[g:])
	case byNothingElse:
		b.load(impl, &b.w, w.importance[g*length:][:len(x)], length)
		return
	}
	asm.Weights(impl, kind, &b.w[0][0], &b.x[0][0], &b.l[0][0], &b.roots[0], &b.tries[0][0], 1, length, 4*groups)
}

// begin takes the tries of a search; those of one try more are read.
func (b *lanes) begin(first [4]float32) {
	b.count = 0
	b.add(first)
}

func (b *lanes) add(try [4]float32) {
	b.tries[b.count], b.tries[b.count+1] = try, [4]float32{}
	b.count++
}

// searchRangedBatches is search for all groups of a piece.
func (f *fits) searchRangedBatches(impl asm.ISA, s *rangedSearch, x []float32, length int) {
	b, at, choice, lowest := &f.lanes, &f.lanes.ranged, 0, float32(-3.9e6)
	switch {
	case s.absolute:
		choice = 1
	case s.n == 15:
		choice, lowest = 2, -15
	}
	b.begin([4]float32{s.n, s.n, 1, lowest})
	for k := range s.steps + 1 {
		b.add([4]float32{s.from + float32(s.step*float32(k)) + s.n, s.n, 0, lowest})
	}
	batches(x, length, func(x []float32, g int) {
		groups := len(x) / length
		b.weigh(impl, &f.weighing, x, g, length)
		at[asm.RangedLow], at[asm.RangedHigh], at[asm.RangedBest] = infinities, minusInfinities, infinities
		asm.RangedSearch(impl, &b.l[0][0], &b.x[0][0], &b.w[0][0], &at[0][0], &b.tries[0][0], b.count, length, 4*groups, choice)
		for _, found := range [...]struct {
			to   []float32
			from asm.RangedNumber
		}{{f.scale[g:], asm.RangedFitScale}, {f.least[g:], asm.RangedLeast}, {f.inverse[g:], asm.RangedFitInverse}, {f.base[g:], asm.RangedFitBase}, {f.sums[g:], asm.RangedWeights}} {
			copy(found.to[:groups], at[found.from][:])
		}
		for i := range groups {
			f.least[g+i] = -f.least[g+i]
			f.largest[g+i] = abs32(at[asm.RangedHigh][i]) + abs32(at[asm.RangedLow][i]) // no less than it
			if at[asm.RangedUsual][i] == 0 {
				f.searchRangedGroup(s, x[i*length:][:length], g+i)
			}
		}
	})
}

// searchSymmetricBatches is searchSymmetric for them.
func (f *fits) searchSymmetricBatches(impl asm.ISA, x []float32, length int, n float32) {
	at := &f.lanes.signed
	f.lanes.searchSymmetric(impl, &f.weighing, x, length, n, func(x []float32, g int) {
		groups := len(x) / length
		copy(f.scale[g:][:groups], at[asm.SignedScale][:])
		copy(f.inverse[g:][:groups], at[asm.SignedFitted][:])
		copy(f.sums[g:][:groups], at[asm.SignedWeights][:])
		for i := range groups {
			f.largest[g+i] = abs32(at[asm.SignedMost][i])
			if at[asm.SignedUsual][i] == 0 {
				f.searchSymmetricGroup(x[i*length:][:length], g+i, n)
			}
		}
	})
}

// searchScalesBatches is searchScales with the blocks side by side.
func (f *fits) searchScalesBatches(impl asm.ISA, blocks int) {
	at, w := &f.lanes.signed, weighing{kind: byNothingElse, importance: f.sums[:16*blocks]}
	f.lanes.searchSymmetric(impl, &w, f.scale[:16*blocks], 16, 32, func(_ []float32, _ int) {
		for i := range blocks {
			if at[asm.SignedUsual][i] == 0 {
				f.searchScalesBlock(i)
			} else {
				f.second[i] = symmetricFit{scale: at[asm.SignedScale][i], inverse: at[asm.SignedFitted][i]}
			}
		}
	})
}

// searchSymmetric makes all tries of searchSymmetric for groups, and visits them, as many at a time as are searched side by side, for what is found.
func (b *lanes) searchSymmetric(impl asm.ISA, w *weighing, x []float32, length int, n float32, visit func(x []float32, g int)) {
	b.begin([4]float32{-n, 0, n - 1, -n})
	for k := -9; k <= 9; k++ {
		if k != 0 {
			b.add([4]float32{-(n + float32(0.1*float32(k))), 0, n - 1, -n})
		}
	}
	batches(x, length, func(x []float32, g int) {
		b.searchScale(impl, w, x, g, length, 0)
		visit(x, g)
	})
}

// searchIQ4Batches is searchIQ4 for groups of 32.
func (f *fits) searchIQ4Batches(impl asm.ISA, x []float32) {
	b, at := &f.lanes, &f.lanes.signed
	b.begin([4]float32{0, 127})
	for k := -7; k <= 7; k++ {
		b.add([4]float32{float32(k) - 127})
	}
	batches(x, 32, func(x []float32, g int) {
		groups := len(x) / 32
		b.searchScale(impl, &f.weighing, x, g, 32, 1)
		copy(f.scale[g:][:groups], at[asm.SignedScale][:])
		for i := range groups {
			f.largest[g+i] = abs32(at[asm.SignedMost][i])
			if at[asm.SignedUsual][i] == 0 {
				f.searchIQ4Group(x[i*32:][:32], g+i)
			}
		}
	})
}

// batches visits the groups of a piece, as many at a time as are searched side by side.
func batches(x []float32, length int, visit func(x []float32, g int)) {
	for at, step := 0, searchedGroups*length; at < len(x); at += step {
		visit(x[at:min(at+step, len(x))], at/length)
	}
}

func (b *lanes) searchScale(impl asm.ISA, w *weighing, x []float32, g, length, choice int) {
	b.weigh(impl, w, x, g, length)
	at := &b.signed
	at[asm.SignedMost], at[asm.SignedBest] = row{}, minusInfinities
	asm.ScaleSearch(impl, &b.l[0][0], &b.x[0][0], &b.w[0][0], &at[0][0], &b.tries[0][0], b.count, length, 4*(len(x)/length), choice)
}

// searchQuickBatches is searchQuick for the groups of sixteen of Q3_K. In four of five no code changes, and in most others there are changes in one round
// only: those that change in more rounds than have been made are put together and searched again.
func (f *fits) searchQuickBatches(impl asm.ISA, x []float32) {
	const length = 16
	b := &f.lanes
	at := &b.signed
	groups := everyGroup
	var from [len(everyGroup)]uint8 // where in their batch they are
	for _, rounds := range [...]int{0, 1, 5} {
		others, gathered := 0, 0
		batches(x, length, func(x []float32, first int) {
			b.load(impl, &b.x, x, length)
			at[asm.SignedMost] = row{}
			asm.CodeSearch(impl, &b.l[0][0], &b.x[0][0], &at[0][0], &b.tries[0][0], rounds+1, length, 4*(len(x)/length))
			for i := range len(x) / length {
				g := groups[first+i]
				scale := at[asm.SignedA][i] / at[asm.SignedB][i]
				if !(at[asm.SignedB][i] > 0) {
					scale = 0
				}
				f.scale[g], f.largest[g] = scale, abs32(at[asm.SignedMost][i])
				groups[others], from[others] = g, uint8(i)
				others += 1 - int(at[asm.SignedUsual][i]) // without a branch, which would be hard to foretell
			}
			for ; gathered < others; gathered++ {
				copy(b.gathered[length*gathered:][:length], x[length*int(from[gathered]):])
			}
		})
		if x = b.gathered[:length*others]; others == 0 {
			return
		}
	}
	each(x, length, func(x []float32, i int) { f.searchQuickGroup(x, int(groups[i])) })
}

// everyGroup are the groups of sixteen of a piece.
var everyGroup = func() (groups [pieceLen / 16]uint8) {
	for g := range groups {
		groups[g] = uint8(g)
	}
	return groups
}()

// tryPositivesBatch is tryPositives with the scales and the least values of all blocks side by side. Those that are out of the ordinary have no
// inverse.
func (f *fits) tryPositivesBatch(impl asm.ISA, blocks, scales int, most float32) {
	b, at := &f.lanes, &f.lanes.signed
	b.begin([4]float32{most})
	for k := -4; k <= 4; k++ {
		if k != 0 {
			b.add([4]float32{float32(0.1*float32(k)) + most})
		}
	}
	at[asm.SignedMost], at[asm.SignedBest] = rowOf(1), infinities
	var tried row
	for g := range 2 * blocks {
		values, weights := f.scale[scales*(g/2):], f.sums[scales*(g/2):]
		if g%2 == 1 {
			values = f.least[scales*(g/2):]
		}
		most, heaviest := uint32(0), uint32(0) // their bits have the order of numbers without a sign
		for i, v := range values[:scales] {
			v += 0 // not -0
			b.x[i][g], b.w[i][g] = v, weights[i]
			most, heaviest = max(most, math.Float32bits(v)), max(heaviest, math.Float32bits(weights[i]))
		}
		if largest := math.Float32frombits(most); max(most, heaviest) < 0xff<<23 && largest >= tiny {
			at[asm.SignedMost][g], tried[g] = largest, 1
		}
	}
	asm.PositiveSearch(impl, &b.x[0][0], &b.w[0][0], &at[0][0], &b.tries[0][0], b.count, scales, 4*2*blocks)
	for g := range 2 * blocks {
		if tried[g] != 0 {
			f.positive[g] = at[asm.SignedFitted][g]
		}
	}
}
