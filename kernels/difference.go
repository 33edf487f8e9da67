package kernels

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// Differences are what elements of two slices differ by. Sums are of elements of even and of odd number, in order, in float64, each operation
// rounded by itself.
type Differences struct {
	Noise   [2]float64 // of (a-b)*(a-b)
	A, B    [2]float64 // of a*a and b*b
	Product [2]float64 // of a*b
	Largest float64    // |a-b|
	Bits    int        // how many elements have other bits
}

// Add takes in elements, that of a[0] as one of even number, and sets errors to a-b, which is exact in float64 unless one element is 2^29 times the
// other. It reports whether all are finite; d and errors are of no use if not.
func (d *Differences) Add(errors []float64, a, b []float32) (finite bool) {
	const kernel = "Differences.Add"
	checkLen(kernel, "b", len(b), len(a))
	checkLen(kernel, "errors", len(errors), len(a))
	impl := current()
	for len(a) > 0 {
		const most = 1 << 20 // of which a word counts the bits
		n := min(len(a), most)
		if impl != generic && n >= 4 {
			n &^= 3
			d.addAsm(impl, errors[:n], a[:n], b[:n])
		} else {
			d.addPortable(errors[:n], a[:n], b[:n])
		}
		errors, a, b = errors[n:], a[n:], b[n:]
	}
	sum := d.A[0] + d.A[1] + d.B[0] + d.B[1] // of which each is far from the largest float64
	return sum-sum == 0
}

func (d *Differences) addPortable(errors []float64, a, b []float32) {
	noise0, left0, right0, product0 := d.Noise[0], d.A[0], d.B[0], d.Product[0] // in registers, which fields are not
	noise1, left1, right1, product1 := d.Noise[1], d.A[1], d.B[1], d.Product[1]
	most := math.Float64bits(d.Largest) // the bits of magnitudes are in their order
	for i := 1; i < len(errors); i += 2 {
		v, w := float64(a[i-1]), float64(b[i-1])
		e := v - w
		errors[i-1] = e
		most = max(most, math.Float64bits(e)&^(1<<63))
		noise0 += float64(e * e)
		left0 += float64(v * v)
		right0 += float64(w * w)
		product0 += float64(v * w)
		v, w = float64(a[i]), float64(b[i])
		e = v - w
		errors[i] = e
		most = max(most, math.Float64bits(e)&^(1<<63))
		noise1 += float64(e * e)
		left1 += float64(v * v)
		right1 += float64(w * w)
		product1 += float64(v * w)
	}
	if i := len(errors) - 1; i%2 == 0 {
		v, w := float64(a[i]), float64(b[i])
		e := v - w
		errors[i] = e
		most = max(most, math.Float64bits(e)&^(1<<63))
		noise0 += float64(e * e)
		left0 += float64(v * v)
		right0 += float64(w * w)
		product0 += float64(v * w)
	}
	d.Noise, d.A, d.B, d.Product = [2]float64{noise0, noise1}, [2]float64{left0, left1}, [2]float64{right0, right1}, [2]float64{product0, product1}
	d.Largest = math.Float64frombits(most)
	for i, x := range a {
		if math.Float32bits(x) != math.Float32bits(b[i]) {
			d.Bits++
		}
	}
}

// addAsm adds a multiple of four elements.
func (d *Differences) addAsm(impl isa, errors []float64, a, b []float32) {
	sums := [12]float64{d.Noise[0], d.Noise[1], d.A[0], d.A[1], d.B[0], d.B[1], d.Product[0], d.Product[1], d.Largest}
	asm.Difference(asm.ISA(impl), &sums[0], &errors[0], &a[0], &b[0], len(a)/4)
	d.Noise, d.A, d.B, d.Product = [2]float64(sums[:]), [2]float64(sums[2:]), [2]float64(sums[4:]), [2]float64(sums[6:])
	d.Largest = max(sums[8], sums[9])
	d.Bits += len(a)
	for _, two := range sums[10:] {
		word := math.Float64bits(two)
		d.Bits -= int(uint32(word)) + int(word>>32)
	}
}
