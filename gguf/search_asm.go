package gguf

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// lanes is a batch of sixteen groups that are searched side by side by generated code, which makes the passes over the elements: element i of
// group g is at 16*i + g. A lane has the sums of its group in the order of the elements, so they are those of the portable search. Groups that
// are out of the ordinary, in which a number is no number or rounds in another way, are left to that.
type lanes struct {
	x, w, l [16 * 32]float32
	state   [numbersOfRanged]row // the numbers of the search
}

var infinity = float32(math.Inf(1))

// row has one number of each group.
type row [16]float32

// all sets the number of every group.
func (r *row) all(v float32) {
	for g := range r {
		r[g] = v
	}
}

// What the rows of a search for ranges are, for the kernels too: first what RangedSums takes and gives, then what RangedError does.
const (
	rangedInverse = iota
	rangedLeast   // the least element so far
	rangedLevels  // the largest level
	_             // sum w*l
	_             // sum (w*l)*l
	_             // sum (w*l)*x
	rangedScale
	rangedOffset
	rangedErrors
	rangedW     // sum w
	rangedX     // sum w*x
	rangedBest  // the least error so far
	rangedLimit // what an error must be below
	rangedBottom
	rangedHigh
	rangedUsual      // 1, or 0 for a group that is not
	rangedFitScale   // of the best
	rangedFitInverse // likewise
	rangedFitBase    // likewise
	rangedNext       // the levels of the next try
	numbersOfRanged
)

// What they are in a symmetric search.
const (
	symmetricInverse  = iota
	symmetricLeast    // the least level
	symmetricMost     // the greatest
	symmetricSums     // sum (w*x)*l, then sum (w*l)*l
	symmetricBest     = iota + 1
	symmetricScale    // of the best
	symmetricFitted   // its inverse
	symmetricGreatest // the element of largest magnitude
	symmetricNext     // minus the levels of the next try
)

// load puts groups side by side; groups that are not there are zeros.
func load(rows []float32, x []float32, length int) {
	if len(x) < 16*length {
		clear(rows[:16*length])
	}
	for g := 0; len(x) > 0; g, x = g+1, x[length:] {
		for i, v := range x[:length] {
			rows[16*i+g] = v
		}
	}
}

// searchBatch is search for at most sixteen groups, of which low and high are the least and the greatest elements, a zero without a sign. Lanes
// that are not usual compute something, and what that is does not matter.
func (s *rangedSearch) searchBatch(impl asm.ISA, b *lanes, fits []rangedFit, sums, x, w, low, high []float32, length int) {
	at := &b.state
	load(b.x[:], x, length)
	if s.rooted {
		asm.SquareSums(impl, &b.x[0], nil, &at[rangedX][0], length)
		for g, squares := range at[rangedX] {
			at[rangedScale][g] = sqrt32(squares / float32(length))
		}
		asm.RootMoments(impl, &b.w[0], &b.x[0], &at[rangedScale][0], &at[rangedW][0], length)
	} else {
		load(b.w[:], w, length)
		asm.Moments(impl, &b.x[0], &b.w[0], nil, &at[rangedW][0], length)
	}
	count, some := len(x)/length, false
	at[rangedUsual].all(0)
	at[rangedHigh].all(0)
	at[rangedBottom].all(0)
	at[rangedLeast].all(0)
	for g, bottom := range low {
		if bottom == 0 {
			bottom = firstZero(x[g*length:][:length])
		}
		least := min(bottom, 0)
		inverse := s.n / (high[g] - least)
		at[rangedBottom][g], at[rangedHigh][g], at[rangedLeast][g] = bottom, high[g], least
		at[rangedInverse][g], at[rangedScale][g] = inverse, 1/inverse
		// A sum that is finite is one of finite elements; one that is zero may lack its sign.
		sw, sx := at[rangedW][g], at[rangedX][g]
		if finite(sx) && finite(sw) && sw != 0 && sx != 0 && high[g] > least && inverse > 0 && finite(inverse) {
			at[rangedUsual][g], some = 1, true
		}
	}
	if some {
		at[rangedLevels].all(s.n)
		at[rangedBest].all(infinity)
		at[rangedLimit].all(infinity) // the levels without a fit are what is to be better
		at[rangedOffset] = at[rangedLeast]
		at[rangedFitScale], at[rangedFitInverse], at[rangedFitBase] = at[rangedScale], at[rangedInverse], at[rangedLeast]
		b.sumsRanged(impl, length)
		b.errors(impl, length, s.absolute)
		for g, e := range at[rangedErrors] {
			if !finite(e) {
				at[rangedUsual][g] = 0
			}
		}
		for k := range s.steps + 1 {
			at[rangedNext].all(s.from + float32(s.step*float32(k)) + s.n)
			asm.RangedAccept(impl, &at[0][0], nil, 1)
			b.sumsRanged(impl, length)
			asm.RangedFit(impl, &at[0][0], nil, 1)
			b.errors(impl, length, s.absolute)
		}
		usual := at[rangedUsual] // of all tries
		asm.RangedAccept(impl, &at[0][0], nil, 1)
		at[rangedUsual] = usual
	}
	for g := range count {
		if at[rangedUsual][g] != 0 {
			fits[g] = rangedFit{scale: at[rangedFitScale][g], least: -at[rangedLeast][g], inverse: at[rangedFitInverse][g], base: at[rangedFitBase][g]}
			sums[g] = at[rangedW][g]
		} else {
			group, weights := x[g*length:][:length], w[g*length:][:length]
			if s.rooted {
				rootWeights(weights, group)
			}
			fits[g], sums[g] = s.search(group, weights)
		}
	}
}

// sumsRanged makes the pass over the elements that gives levels and sums.
func (b *lanes) sumsRanged(impl asm.ISA, length int) {
	asm.RangedSums(impl, &b.l[0], &b.x[0], &b.w[0], &b.state[rangedInverse][0], &b.state[rangedLevels+1][0], length)
}

// errors makes the pass that gives the errors.
func (b *lanes) errors(impl asm.ISA, length int, absolute bool) {
	kind := asm.SquaredError
	if absolute {
		kind = asm.AbsoluteError
	}
	asm.RangedError(impl, kind, &b.l[0], &b.x[0], &b.w[0], &b.state[rangedScale][0], &b.state[rangedErrors][0], length)
}

// searchSymmetricBatch is searchSymmetric for at most sixteen groups, of which low and high are the least and the greatest elements.
func searchSymmetricBatch(impl asm.ISA, b *lanes, fits []symmetricFit, x, w, low, high []float32, length int, n float32) {
	load(b.x[:], x, length)
	load(b.w[:], w, length)
	at := &b.state
	at[symmetricLeast].all(-n)
	at[symmetricMost].all(n - 1)
	at[symmetricGreatest].all(1)
	at[symmetricInverse].all(0)
	count := len(x) / length
	var usual [16]bool
	for g := range fits[:count] {
		most := high[g]
		if -low[g] > most {
			most = low[g]
		} else if -low[g] == most {
			most = firstLargest(x[g*length:][:length])
		}
		usual[g] = abs32(most) >= tiny && finite(low[g]) && finite(high[g])
		if usual[g] {
			at[symmetricGreatest][g], at[symmetricInverse][g] = most, -n/most
		}
	}
	sums := func() {
		asm.SymmetricSums(impl, &b.x[0], &b.w[0], &at[symmetricInverse][0], &at[symmetricSums][0], length)
	}
	sums()
	at[symmetricFitted] = at[symmetricInverse]
	for g := range 16 {
		a, d, scale := at[symmetricSums][g], at[symmetricSums+1][g], float32(0)
		if d != 0 {
			scale = a / d
		}
		at[symmetricScale][g], at[symmetricBest][g] = scale, float32(scale*a)
		at[symmetricSums+1][g] = 0 // it is taken already
	}
	for k := -9; k <= 9; k++ {
		if k == 0 {
			continue
		}
		at[symmetricNext].all(-(n + float32(0.1*float32(k))))
		asm.SymmetricAccept(impl, &at[0][0], nil, 1)
		sums()
	}
	asm.SymmetricAccept(impl, &at[0][0], nil, 1)
	for g := range fits[:count] {
		if usual[g] {
			fits[g] = symmetricFit{scale: at[symmetricScale][g], inverse: at[symmetricFitted][g]}
		} else {
			fits[g] = searchSymmetric(x[g*length:][:length], w[g*length:][:length], n)
		}
	}
}
