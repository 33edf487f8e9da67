package gguf

import "math"

// The searches for the parameters of a group. Each tries a fixed number of scales; its sums are float32, each operation rounded by itself, in
// the order of the elements. Codes are not kept: what gives them is, for the few groups that need them.

// tiny is what ggml takes for zero.
const tiny = 1e-15

// unit rounds half to even, for |x| < 2^22: to +0, not to -0.
func unit(x float32) float32 { return float32(x+magic32) - magic32 }

// symmetricFit is what searchSymmetric found: scale*(code-n) is near x, and code - n = clamp(round(inverse*x), -n, n-1).
type symmetricFit struct {
	scale, inverse float32
	zero           bool // all are as good as zero: the codes are 0
}

// codes writes the codes of a group.
func (f symmetricFit) codes(codes []byte, x []float32, n int32) {
	for i, v := range x {
		codes[i] = 0
		if !f.zero {
			codes[i] = byte(max(min(rounded(float32(f.inverse*v)), n-1), -n) + n)
		}
	}
}

// searchSymmetric tries to give the element of largest magnitude codes from n - 0.9 to n + 0.9, and takes the scale with which the weighed
// square error is least: it is the one for which A*A/B is largest, A = sum w*x*l and B = sum w*l*l.
func searchSymmetric(x, w []float32, n float32) symmetricFit {
	most := firstLargest(x)
	if abs32(most) < tiny {
		return symmetricFit{zero: true}
	}
	var room [32]float32
	wx := room[:len(x)]
	w = w[:len(x)]
	other := float32(0) // the largest magnitude of those with the other sign
	for i, v := range x {
		wx[i] = w[i] * v
		if a := abs32(v); a > other && v*most < 0 {
			other = a
		}
	}
	if most > 0 {
		other = -other
	}
	f := symmetricFit{inverse: -n / most}
	a, b := sumsSymmetric(x, w, wx, f.inverse, n, most, other)
	if b != 0 {
		f.scale = a / b
	}
	best := float32(f.scale * a)
	for k := -9; k <= 9; k++ {
		if k == 0 {
			continue
		}
		inverse := -(n + float32(0.1*float32(k))) / most
		a, b := sumsSymmetric(x, w, wx, inverse, n, most, other)
		if b > 0 && float32(a*a) > float32(best*b) {
			f.scale, f.inverse = a/b, inverse
			best = float32(f.scale * a)
		}
	}
	return f
}

// sumsSymmetric returns sum (w*x)*l and sum (w*l)*l, l = clamp(round(inverse*x), -n, n-1); most and other are the elements of either sign that
// are largest. Where they need no clamp, none does.
func sumsSymmetric(x, w, wx []float32, inverse, n, most, other float32) (a, b float32) {
	w, wx = w[:len(x)], wx[:len(x)]
	if unit(float32(inverse*most)) >= -n && unit(float32(inverse*other)) <= n-1 {
		for i, v := range x {
			l := unit(float32(inverse * v))
			a += float32(wx[i] * l)
			b += float32(float32(w[i]*l) * l)
		}
		return a, b
	}
	for i, v := range x {
		l := unit(float32(inverse * v))
		if l != l { // x is one of the scales of a block, and the sums for some overflowed
			l = 0
		}
		if l > n-1 {
			l = n - 1
		}
		if l < -n {
			l = -n
		}
		a += float32(wx[i] * l)
		b += float32(float32(w[i]*l) * l)
	}
	return a, b
}

// searchQuick is the search of Q3_K without an importance matrix: the first try of searchSymmetric with weights x*x, then up to five rounds
// in which each code is changed if that makes the error less. It writes the codes, which are code - n of 0..2n-1.
func searchQuick(codes []byte, x []float32, n int32) (scale float32) {
	most := firstLargest(x)
	if abs32(most) < tiny {
		clear(codes)
		return 0
	}
	inverse := float32(-n) / most
	var l [16]int32
	var a, b float32
	for i, v := range x {
		l[i] = max(min(rounded(float32(inverse*v)), n-1), -n)
		w, c := float32(v*v), float32(l[i])
		a += float32(float32(w*v) * c)
		b += float32(float32(w*c) * c)
	}
	for range 5 {
		changed := false
		for i, v := range x {
			w, c := float32(v*v), float32(l[i])
			wx := float32(w * v)
			a1, b1 := a-float32(wx*c), b-float32(float32(w*c)*c)
			if !(a1 > 0) {
				continue
			}
			next := max(min(rounded(float32(v*b1)/a1), n-1), -n)
			if next == l[i] {
				continue
			}
			c = float32(next)
			a1 += float32(wx * c)
			b1 += float32(float32(w*c) * c)
			if b1 > 0 && float32(float32(a1*a1)*b) > float32(float32(a*a)*b1) {
				l[i], a, b, changed = next, a1, b1, true
			}
		}
		if !changed {
			break
		}
	}
	for i := range x {
		codes[i] = byte(l[i] + n)
	}
	if b > 0 {
		return a / b
	}
	return 0
}

// rangedFit is what searchRanged found: scale*code - least is near x, and code = clamp(round(inverse*(x - base)), 0, n).
type rangedFit struct {
	scale, least  float32
	inverse, base float32
	flat          bool // all are the same: the codes are 0
}

// codes writes the codes of a group.
func (f rangedFit) codes(codes []byte, x []float32, n int32) {
	for i, v := range x {
		codes[i] = 0
		if !f.flat {
			codes[i] = byte(max(min(rounded(float32(f.inverse*(v-f.base))), n), 0))
		}
	}
}

// rangedSearch says what searchRanged tries: steps + 1 numbers of levels, from n + from on, each larger by step.
type rangedSearch struct {
	n, from, step float32
	steps         int
	absolute      bool // errors count as they are, not squared
	weighed       bool // with an importance matrix
}

// The searches of the types.
var (
	searchQ2_K        = rangedSearch{n: 3, from: -0.5, step: 0.1, steps: 15, absolute: true}
	searchQ4_K        = rangedSearch{n: 15, from: -1, step: 0.1, steps: 20}
	searchQ5_K        = rangedSearch{n: 31, from: -0.5, step: 0.1, steps: 15}
	searchQ2_KWeighed = rangedSearch{n: 3, from: -0.9, step: 0.05, steps: 36, weighed: true}
	search4Weighed    = rangedSearch{n: 15, from: -0.9, step: 0.05, steps: 36, weighed: true}
	search5Weighed    = rangedSearch{n: 31, from: -0.9, step: 0.05, steps: 36, weighed: true}
)

// search finds a scale and a least value at most 0. Every try takes codes for a number of levels between the least value found so far and the
// greatest element, fits scale and least value to them by weighed least squares, and is accepted if the weighed error is less. It returns the
// sum of the weights too.
func (s *rangedSearch) search(x, w []float32) (f rangedFit, sw float32) {
	w = w[:len(x)]
	least, most := x[0], x[0]
	sw = w[0]
	sx := float32(sw * x[0])
	for i := 1; i < len(x); i++ {
		v := x[i]
		if v < least {
			least = v
		}
		if v > most {
			most = v
		}
		sw += w[i]
		sx += float32(w[i] * v)
	}
	bottom := least
	if least > 0 {
		least = 0
	}
	if most == least || s.weighed && most <= least {
		return rangedFit{least: -least, flat: true}, sw
	}
	var rooms [2][32]float32
	l, y := rooms[0][:len(x)], rooms[1][:len(x)] // levels, and x - least
	bound := newBound(x, w)
	for i, v := range x {
		y[i] = v - least
	}
	f = rangedFit{inverse: s.n / (most - least), base: least}
	f.scale = 1 / f.inverse
	if f.inverse <= math.MaxFloat32 {
		for i, v := range y {
			l[i] = unit(float32(f.inverse * v)) // from 0 to n
		}
	} else {
		s.levels(l, y, f.inverse, s.n)
	}
	best := s.error(x, w, l, f.scale, least)
	for k := range s.steps + 1 {
		levels := s.from + float32(s.step*float32(k)) + s.n
		inverse := levels / (most - least)
		lowest := float32(inverse * (bottom - least))
		var sl, sl2, sxl float32
		switch {
		case !(most > least && lowest > -4e6 && inverse <= math.MaxFloat32):
			s.levels(l, y, inverse, s.n)
			sl, sl2, sxl = sumsOfLevels(x, w, l)
		case lowest >= -0.5 && levels < s.n+0.49:
			// All round to levels, the greatest to at most levels*(1 + 2^-23).
			for i, v := range x {
				c := unit(float32(inverse * y[i]))
				l[i] = c
				wl := float32(w[i] * c)
				sl += wl
				sl2 += float32(wl * c)
				sxl += float32(wl * v)
			}
		default:
			for i, v := range x {
				c := unit(float32(inverse * y[i]))
				if c < 0 {
					c = 0
				}
				if c > s.n {
					c = s.n
				}
				l[i] = c
				wl := float32(w[i] * c)
				sl += wl
				sl2 += float32(wl * c)
				sxl += float32(wl * v)
			}
		}
		d := float32(sw*sl2) - float32(sl*sl)
		if !(d > 0) {
			continue
		}
		scale := (float32(sw*sxl) - float32(sx*sl)) / d
		offset := (float32(sl2*sx) - float32(sl*sxl)) / d
		if offset > 0 {
			scale, offset = sxl/sl2, 0
		}
		if !s.absolute && bound.atLeast(best, scale, offset, sw, sx, sl, sl2, sxl) {
			continue
		}
		if e := s.error(x, w, l, scale, offset); e < best {
			best = e
			f.scale, f.inverse, f.base = scale, inverse, least
			least = offset
			for i, v := range x {
				y[i] = v - least
			}
		}
	}
	f.least = -least
	return f, sw
}

// errorBound tells of many tries without a pass over the elements that their error is not less than the best.
//
// In real numbers the error is s*s*sl2 + 2*s*m*sl + m*m*sw - 2*s*sxl - 2*m*sx + sum w*x*x for a scale s and an offset m. With u = 2^-24 and
// up to 33 roundings in each of them, sums and the error that is computed differ from those of real numbers by at most 73*u times
// sum w*(|s|*l + |m| + |x|)^2, which is at most 3*(s*s*sl2 + m*m*sw + sum w*x*x).
type errorBound struct {
	sxx   float64 // sum w*x*x, more than good enough
	valid bool    // no weight is negative
}

func newBound(x, w []float32) (b errorBound) {
	w = w[:len(x)]
	signs := uint32(0)
	for i, v := range x {
		signs |= math.Float32bits(w[i])
		b.sxx += float64(w[i]) * (float64(v) * float64(v))
	}
	b.valid = signs>>31 == 0
	return b
}

// atLeast tells whether the error is certainly not less than best. Numbers so small that products underflow, and others that are out of the
// ordinary, it does not judge.
func (b *errorBound) atLeast(best, scale, offset, sw, sx, sl, sl2, sxl float32) bool {
	const ordinary = 0x1p30
	if !b.valid || best < 0x1p-60 || abs32(scale) > ordinary || abs32(offset) > ordinary || sw > ordinary {
		return false
	}
	s, m := float64(scale), float64(offset)
	squares := float64(s*s)*float64(sl2) + float64(m*m)*float64(sw) + b.sxx
	sum := squares + 2*(float64(s*m)*float64(sl)-float64(s*float64(sxl))-float64(m*float64(sx)))
	return sum-squares*(3*80*0x1p-24) >= float64(best)
}

// levels writes clamp(round(inverse*y), 0, n), for numbers of any size.
func (s *rangedSearch) levels(l, y []float32, inverse, n float32) {
	l = l[:len(y)]
	for i, v := range y {
		l[i] = float32(max(min(rounded(float32(inverse*v)), int32(n)), 0))
	}
}

// sumsOfLevels returns sum w*l, sum (w*l)*l and sum (w*l)*x.
func sumsOfLevels(x, w, l []float32) (sl, sl2, sxl float32) {
	w, l = w[:len(x)], l[:len(x)]
	for i, v := range x {
		wl := float32(w[i] * l[i])
		sl += wl
		sl2 += float32(wl * l[i])
		sxl += float32(wl * v)
	}
	return sl, sl2, sxl
}

// error is the weighed error of codes.
func (s *rangedSearch) error(x, w, l []float32, scale, offset float32) (sum float32) {
	w, l = w[:len(x)], l[:len(x)]
	if s.absolute {
		for i, v := range x {
			sum += float32(w[i] * abs32(float32(scale*l[i])+offset-v))
		}
		return sum
	}
	for i, v := range x {
		e := float32(scale*l[i]) + offset - v
		sum += float32(w[i] * float32(e*e))
	}
	return sum
}

// searchPositive finds the scale of numbers that are not negative, and writes their codes: nine scales are tried, then up to five rounds change
// each code if that makes the weighed error less. The inverse is that of the best of the nine, or 0 if they are to be tried.
func searchPositive(codes []uint8, x, w []float32, n int32, inverse float32) (scale float32) {
	w, codes = w[:len(x)], codes[:len(x)]
	if inverse == 0 {
		most := largestOf(x)
		if most < tiny {
			clear(codes)
			return 0
		}
		inverse = tryPositive(x, w, n, most)
	}
	var room [16]float32
	levels := room[:len(x)] // as float32
	var a, b float32
	for i, v := range x {
		l := float32(uint8(min(rounded(float32(inverse*v)), n)))
		levels[i] = l
		a += float32(float32(w[i]*v) * l)
		b += float32(float32(w[i]*l) * l)
	}
	for range 5 {
		changed := false
		for i, v := range x {
			l := levels[i]
			wx := float32(w[i] * v)
			a1, b1 := a-float32(wx*l), b-float32(float32(w[i]*l)*l)
			if !(a1 > 0 && b1 > 0) {
				continue
			}
			q := float32(v*b1) / a1
			if next := unit(q); next == l && q < 1<<22 && q >= 0 {
				continue
			}
			next := min(rounded(q), n)
			if next == int32(l) {
				continue
			}
			l = float32(next)
			a1 += float32(wx * l)
			b1 += float32(float32(w[i]*l) * l)
			if float32(float32(a1*a1)*b) > float32(float32(a*a)*b1) {
				levels[i], a, b, changed = float32(uint8(next)), a1, b1, true
			}
		}
		if !changed {
			break
		}
	}
	for i, l := range levels {
		codes[i] = uint8(l)
	}
	if b > 0 {
		return a / b
	}
	return 0
}

// tryPositive returns the inverse of the nine with which the weighed error is least.
func tryPositive(x, w []float32, n int32, most float32) (inverse float32) {
	usual := true
	for _, v := range x {
		usual = usual && v >= 0 && v <= math.MaxFloat32
	}
	inverse = float32(n) / most
	var best float32
	if usual {
		best = positiveError(x, w, inverse)
	} else {
		s := 1 / inverse
		for i, v := range x {
			d := v - float32(s*float32(uint8(rounded(float32(inverse*v)))))
			best += float32(float32(w[i]*d) * d)
		}
	}
	for k := -4; k <= 4; k++ {
		if k == 0 {
			continue
		}
		try := (float32(0.1*float32(k)) + float32(n)) / most
		var e float32
		if usual {
			e = positiveError(x, w, try)
		} else {
			s := 1 / try
			for i, v := range x {
				d := v - float32(s*float32(min(rounded(float32(try*v)), n)))
				e += float32(float32(w[i]*d) * d)
			}
		}
		if e < best {
			best, inverse = e, try
		}
	}
	return inverse
}

// positiveError is the weighed square error of numbers from 0 to the largest, of which the inverse makes no more levels than there are, and less than
// half a step: they need no limit.
func positiveError(x, w []float32, inverse float32) (e float32) {
	s := 1 / inverse
	w = w[:len(x)]
	for i, v := range x {
		d := v - float32(s*unit(float32(inverse*v)))
		e += float32(float32(w[i]*d) * d)
	}
	return e
}

// iq4Nearest has the code of IQ4_NL whose value is nearest, at floor(2x) + 512 for -256 <= x < 256: a number that is just between two values
// takes the upper one. Twice such a number is an integer.
var iq4Nearest = func() (t [1024]byte) {
	for i := range t {
		for code := range 15 {
			if i-512 >= int(int8(iq4Values[code]))+int(int8(iq4Values[code+1])) {
				t[i] = byte(code + 1)
			}
		}
	}
	return t
}()

// iq4Index is the place in iq4Nearest of a number in its range. The product is exact, and the sum but for numbers next to 0, where all are alike.
func iq4Index(x float32) int { return int(2*float64(x) + 512) }

// iq4Code is the code whose value is nearest. That of a NaN is 15.
func iq4Code(x float32) byte {
	if x <= -127 {
		return 0
	}
	if !(x < 113) {
		return 15
	}
	return iq4Nearest[iq4Index(x)&1023]
}

// iq4Floats are the values of IQ4_NL.
var iq4Floats = func() (t [16]float32) {
	for i := range t {
		t[i] = float32(int8(iq4Values[i]))
	}
	return t
}()

// searchIQ4 finds the scale of a group whose codes are those of IQ4_NL: sixteen are tried.
func searchIQ4(x, w []float32) (scale float32) {
	most := firstLargest(x)
	if abs32(most) < tiny {
		return 0
	}
	a, b := sumsIQ4(x, w, 1/(-most/-127))
	if b > 0 {
		scale = a / b
	}
	best := float32(scale * a)
	for k := -7; k <= 7; k++ {
		a, b := sumsIQ4(x, w, (float32(k)-127)/most)
		if b > 0 && float32(a*a) > float32(best*b) {
			scale = a / b
			best = float32(scale * a)
		}
	}
	return scale
}

// sumsIQ4 returns sum (w*q)*x and sum (w*q)*q, q the value nearest to inverse*x, which is from -134.1 to 134.1.
func sumsIQ4(x, w []float32, inverse float32) (a, b float32) {
	w = w[:len(x)]
	for i, v := range x {
		q := iq4Rounded[iq4Index(float32(inverse*v))&1023]
		wq := float32(w[i] * q)
		a += float32(wq * v)
		b += float32(wq * q)
	}
	return a, b
}

// iq4Rounded are the values of iq4Nearest.
var iq4Rounded = func() (t [1024]float32) {
	for i, code := range iq4Nearest {
		t[i] = iq4Floats[code]
	}
	return t
}()
