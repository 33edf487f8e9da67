package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// difference is the kernel that tells how two slices of float32 differ.
func difference() *ir.Kernel {
	k := ir.New("difference", "Difference", `sets errors to a-b, and adds to sums, which are pairs, what comes of elements of even and of odd number:
(a-b)*(a-b), a*a, b*b and a*b, each operation rounded to float64. Behind them are the largest of |a-b|, and four int32 that count
elements whose bits are equal. There are n >= 1 times four elements, all finite.`)
	k.Differs, k.UpTo256 = true, true // elements are added to a sum one after the other
	return k
}
