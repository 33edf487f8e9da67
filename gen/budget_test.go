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
	"backward":           {4100, 100},
	"convert":            {8700, 220},
	"copy":               {1300, 30},
	"dequantize":         {18500, 400},
	"dequantizeBF16":     {19800, 450},
	"dequantizeF16":      {17400, 380},
	"dequantizefp":       {6600, 150},
	"dequantizefpBF16":   {7200, 170},
	"dequantizefpF16":    {6400, 150},
	"fakequantize":       {28100, 680},
	"fakequantizeBF16":   {37600, 940},
	"fakequantizeF16":    {33700, 820},
	"fakequantizefp":     {10000, 250},
	"fakequantizefpBF16": {14300, 370},
	"fakequantizefpF16":  {13000, 320},
	"lookup":             {200, 10},
	"minmax":             {35100, 780},
	"pack":               {1000, 30},
	"params":             {6900, 200},
	"prepare":            {300, 10},
	"productBF16":        {5700, 150},
	"productF16":         {5300, 130},
	"quantize":           {32400, 740},
	"quantizeBF16":       {38600, 900},
	"quantizeF16":        {38000, 870},
	"quantizefp":         {16100, 380},
	"quantizefpBF16":     {18600, 440},
	"quantizefpF16":      {18300, 430},
	"stage":              {1700, 40},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{435000, 10200}

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
