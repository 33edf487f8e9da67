package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// lookUp16 takes what codes stand for from a table that the caller has made,
// which is less than to compute 16 bits of each anew.
func lookUp16() *ir.Kernel {
	k := ir.New("lookup", "LookUp16", `sets y = table[q].`)
	k.Store("y", ir.MemI16, k.Load("q", ir.MemByte).LookUp16("table"))
	return k
}
