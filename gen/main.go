// Command gen writes Lowbit's assembly, its Go declarations and the functions
// that choose among them; go generate ./... in the root module runs it.
//
// A kernel is recorded once, in package formula, against the vocabulary of
// package ir. Package plan decides what is computed per call, group and
// element, in which order, register and loop. A target, x86 or neon, chooses
// instructions. What is generated is committed; TestFresh fails where it is stale.
//
//   - A kernel: record it in formula and list it in formula.All. Kernels of a
//     family differ in variants alone (element type, mask, code); package asm
//     gets one function per family that calls the variant asked for.
//   - An operation: an Op with its meaning in ir/op.go, its method in ir/node.go, and a case in
//     Lower of each target; constants that a target wants for it go into Extras.
//   - A formula that is right for ordinary tiles alone sounds an alarm (OrAlarm,
//     ToInt16OrAlarm, AlarmCode) and says with Rarely what is done instead.
//   - A formula that takes less per element, but more per group, says with Else
//     what is done instead where groups are not long.
//   - A memory type or a kind of mask: a Mem in ir/mem.go, and a case in load and
//     store of each target. Tails are handled already.
//   - A float format: a row of internal/codeformat, and nothing here. One that is to be read in a way of its own is a format in
//     formula/float.go with a Mem.
//   - Elements of 16 bits: ir.MemNarrow is float16 or bfloat16 as a word says, for kernels that widen all they load.
//   - A parameter that is no float32 or int32 (float16, bfloat16, E8M0, E4M3): a Mem
//     for Kernel.Param, which OpParam's lowering widens as a load does, and so do the routine
//     spread and MixParam. Package plan steps by 4 bytes in Seg.place, advanceParams and
//     arrays; there a parameter's own size comes in.
//   - A block layout with scales between the codes (scale, codes, scale, codes): a Block (ir/block.go), the formula of one
//     block in operations on sixteen bytes or float32, with a row in formula/block.go. Its kernel is one loop over whole
//     blocks, in plan/block.go: no tails, no groups, no rare way. Parts of it that are alike are Turns, of which NEON
//     makes a loop (plan/turns.go).
//   - A pass of a search over groups, whose sums are in the order of the elements: the same vocabulary with lanes that are
//     groups (ir/lanes.go), rows of sixteen groups, and sums that are carried from row to row.
//   - An implementation: a type with the methods of plan.Machine and File, and a
//     line in targets; package kernels must learn when it can be used. It may
//     have some kernels only, and leave the others to another, as AVX512VBMI does to AVX512; that leaves to
//     AVX2 the kernels that say that wider registers gain nothing (UpTo256).
//
// What is left of a tile is copied to the stack by routines that all functions call,
// goes through the loop's own code there, and is copied back; AVX-512 has masks for that. For 32-bit numbers there is a
// routine for each pointer (plan.Passage).
// Where groups meet in a tile its parameters are chosen by a permutation, or mixed with AVX2; what is rare there is the
// lanes' loop's, with parameters repeated (plan/row.go).
// A tile that the formula is not right for is done by one copy of its slow path, from
// whatever loop it comes, with its parameters one for each element: a loop over the tile's registers (plan/rare.go).
//
// Constants of amd64 have one file, and each its value for its name: a new one changes no other function.
//
// A tile is four registers of float32, so the code of a 32-bit operation is
// emitted for one register after the other, narrower ones once or twice. Kernels over numbers of groups (OfGroups),
// of which there are few, have tiles of one register, and a fourth of the text.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("o", "../internal/asm", "folder to write to")
	flag.Parse()
	files, err := Generate()
	if err == nil {
		for name, text := range files {
			if err = os.WriteFile(filepath.Join(*dir, name), text, 0o666); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
