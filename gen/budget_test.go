package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// budget is how many lines of assembly, and how many thousand bytes of text, there may be at most.
type budget struct{ lines, kilobytes int }

// budgets are those of the kernels of a file, for all implementations together. Whoever needs more raises
// one and says in the commit what it buys; whoever needs less lowers it.
var budgets = map[string]budget{
	"backward":           {4200, 100},
	"blocks":             {7700, 230},
	"convert":            {9000, 220},
	"copy":               {1300, 30},
	"dequantize":         {18700, 400},
	"dequantizeBF16":     {13100, 300},
	"dequantizeF16":      {11500, 250},
	"dequantizefp":       {6900, 150},
	"dequantizefpBF16":   {7500, 170},
	"dequantizefpF16":    {6600, 150},
	"errors":             {6700, 170},
	"fakequantize":       {11500, 270},
	"fakequantizeBF16":   {10300, 250},
	"fakequantizeF16":    {9900, 240},
	"fakequantizefp":     {4100, 100},
	"fakequantizefpBF16": {5800, 150},
	"fakequantizefpF16":  {5300, 130},
	"lookup":             {210, 10},
	"minmax":             {34700, 770},
	"pack":               {1400, 40},
	"params":             {10500, 300},
	"prepare":            {300, 10},
	"productBF16":        {4200, 110},
	"productF16":         {3900, 100},
	"quantize":           {32600, 740},
	"quantizeBF16":       {28100, 640},
	"quantizeF16":        {27700, 620},
	"quantizefp":         {19400, 460},
	"quantizefpBF16":     {16200, 390},
	"quantizefpF16":      {15900, 380},
	"quotient":           {4600, 100},
	"search":             {3250, 90},
	"shorts":             {4000, 90},
	"stochastic":         {2900, 90},
	"stage":              {1700, 40},
	"writeblocks":        {6900, 220},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{356000, 8400}

func TestBudget(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(asmDir, "*.s"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	sums, all := map[string]budget{}, budget{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		family, _, _ := strings.Cut(filepath.Base(name), "_")
		sum := sums[family]
		sum.lines += bytes.Count(text, []byte("\n"))
		sum.kilobytes += len(text) / 1000
		sums[family] = sum
	}
	check := func(what string, has, may budget) {
		if has.lines > may.lines || has.kilobytes > may.kilobytes {
			t.Errorf("%s has %d lines and %d kB, and may have %d and %d", what, has.lines, has.kilobytes, may.lines, may.kilobytes)
		}
	}
	for family, sum := range sums {
		all.lines += sum.lines
		all.kilobytes += sum.kilobytes
		check(family, sum, budgets[family])
	}
	check("internal/asm", all, budgetOfAll)
	for family := range budgets {
		if _, ok := sums[family]; !ok {
			t.Errorf("%s has a budget and no files", family)
		}
	}
}
