using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Weir.Mcp;

/// <summary>
/// Folds a key to a form in which spellings that differ only by case, by Unicode normalization or by ignorable characters are
/// equal. Coarser than the standard's (runs of combining marks are sorted by code point), so it refuses rather too much.
/// The runtime's own normalization does nothing without ICU, which a machine may lack: hence the table.
/// </summary>
internal static class KeyFolding
{
    private const int HangulBase = 0xAC00;
    private const int HangulCount = 11172;

    private static readonly Lazy<FrozenDictionary<int, string>> Table = new(Load);

    public static string Fold(string key)
    {
        if (Ascii.IsValid(key))
        {
            return key.ToLowerInvariant();
        }

        var folded = new StringBuilder(key.Length);
        foreach (var rune in key.EnumerateRunes())
        {
            Append(folded, rune);
        }

        var chars = folded.ToString().ToCharArray();
        SortMarks(chars);
        return new string(chars);
    }

    private static void Append(StringBuilder folded, Rune rune)
    {
        var syllable = rune.Value - HangulBase;
        if (rune.IsAscii)
        {
            folded.Append(char.ToLowerInvariant((char)rune.Value));
        }
        else if (syllable is >= 0 and < HangulCount)
        {
            folded.Append((char)(0x1100 + syllable / 588)).Append((char)(0x1161 + syllable % 588 / 28));
            if (syllable % 28 != 0)
            {
                folded.Append((char)(0x11A7 + syllable % 28));
            }
        }
        else if (Table.Value.TryGetValue(rune.Value, out var replacement))
        {
            folded.Append(replacement);
        }
        else
        {
            folded.Append(rune.ToString());
        }
    }

    private static void SortMarks(char[] folded)
    {
        for (var start = 0; start < folded.Length; start++)
        {
            var end = start;
            while (end < folded.Length && CharUnicodeInfo.GetUnicodeCategory(folded[end]) == UnicodeCategory.NonSpacingMark)
            {
                end++;
            }

            if (end - start > 1)
            {
                Array.Sort(folded, start, end - start);
            }

            start = Math.Max(start, end);
        }
    }

    private static FrozenDictionary<int, string> Load()
    {
        using var stream = typeof(KeyFolding).Assembly.GetManifestResourceStream("KeyFolding.txt")
            ?? throw new InvalidOperationException("The table of key foldings is not in the assembly.");
        using var reader = new StreamReader(stream);
        var table = new Dictionary<int, string>();
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
            {
                continue;
            }

            var codes = line.Split(' ').Select(c => int.Parse(c, NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToArray();
            table[codes[0]] = string.Concat(codes[1..].Select(char.ConvertFromUtf32));
        }

        return table.ToFrozenDictionary();
    }
}
