using System.Collections.Frozen;
using System.Text;

namespace Weir.Chat.Offline;

/// <summary>
/// Text as the words that matter: lower case, singular, camelCase and snake_case taken apart, words that say nothing left out,
/// and a few words that people use for one another made one.
/// </summary>
internal static class Words
{
    /// <summary>More words than these are not looked at: a message that long is no question.</summary>
    private const int MaxWords = 400;

    private static readonly FrozenSet<string> Empty = FrozenSet.Create(
        StringComparer.Ordinal,
        "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "by", "can", "could", "display", "do", "does", "for",
        "from", "get", "give", "has", "have", "hello", "help", "hi", "how", "i", "if", "in", "into", "is", "it", "its", "me", "my", "of",
        "on", "or", "our", "out", "please", "see", "should", "show", "so", "some", "tell", "that", "the", "their", "them", "then", "there",
        "these", "this", "those", "to", "use", "used", "using", "want", "was", "we", "what", "when", "where", "which", "who", "why", "will",
        "with", "would", "you", "your");

    private static readonly FrozenDictionary<string, string> Same = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["dir"] = "directory",
        ["folder"] = "directory",
        ["enumerate"] = "list",
        ["find"] = "search",
        ["locate"] = "search",
        ["look"] = "search",
        ["content"] = "read",
        ["open"] = "read",
        ["print"] = "read",
        ["say"] = "read",
        ["view"] = "read",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The words of a text, each once, in their order.</summary>
    public static IReadOnlyList<string> Of(string text)
    {
        var words = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var raw in Split(text))
        {
            var word = Singular(raw);
            word = Same.GetValueOrDefault(word, word);
            if (!Empty.Contains(raw) && !Empty.Contains(word) && seen.Add(word))
            {
                words.Add(word);
            }

            if (words.Count == MaxWords)
            {
                break;
            }
        }

        return words;
    }

    /// <summary>
    /// Words that a question means without saying them: "what files are in …" and "show me …" ask for a list, a file's name for what
    /// the file says, and a pattern with * for a search.
    /// </summary>
    public static IReadOnlyList<string> Implied(string message)
    {
        var said = Of(message);
        List<string> implied = [];
        var namesFile = Values.Paths(message).Any(p => Path.HasExtension(p));
        if (namesFile)
        {
            implied.AddRange(["file", "read"]);
        }

        if (AsksForList(message, showIsList: !namesFile))
        {
            implied.Add("list");
        }

        if (Values.Patterns(message).Count > 0)
        {
            implied.AddRange(["search", "pattern"]);
        }

        return [.. implied.Where(w => !said.Contains(w, StringComparer.Ordinal))];
    }

    private static IEnumerable<string> Split(string text)
    {
        var word = new StringBuilder();
        var previousIsLower = false;
        foreach (var c in text)
        {
            var boundary = !char.IsLetterOrDigit(c) || (char.IsUpper(c) && previousIsLower);
            if (boundary && word.Length > 0)
            {
                yield return word.ToString();
                word.Clear();
            }

            if (char.IsLetterOrDigit(c))
            {
                word.Append(char.ToLowerInvariant(c));
            }

            previousIsLower = char.IsLower(c);
        }

        if (word.Length > 0)
        {
            yield return word.ToString();
        }
    }

    /// <summary>Crude, and the same on both sides of every comparison.</summary>
    private static string Singular(string word) => word switch
    {
        { Length: > 4 } when word.EndsWith("ies", StringComparison.Ordinal) => word[..^3] + "y",
        { Length: > 4 } when word.EndsWith("sses", StringComparison.Ordinal) || word.EndsWith("shes", StringComparison.Ordinal)
            || word.EndsWith("ches", StringComparison.Ordinal) || word.EndsWith("xes", StringComparison.Ordinal) => word[..^2],
        { Length: > 3 } when word.EndsWith('s') && !word.EndsWith("ss", StringComparison.Ordinal)
            && !word.EndsWith("us", StringComparison.Ordinal)
            && !word.EndsWith("is", StringComparison.Ordinal) => word[..^1],
        { Length: > 6 } when word.EndsWith("ing", StringComparison.Ordinal) => word[..^3],
        _ => word,
    };

    /// <summary>"what files …", "which of the … are there", "show me …".</summary>
    private static bool AsksForList(string message, bool showIsList)
    {
        string[] words = [.. Split(message).Take(MaxWords)];
        if (showIsList && words.Any(w => w is "show" or "display" or "see"))
        {
            return true;
        }

        var asks = Array.FindIndex(words, w => w is "what" or "which");
        return asks >= 0
            && (words.Skip(asks + 1).Take(2).Any(w => w.Length > 4 && w.EndsWith('s'))
                || words.Skip(asks + 1).Any(w => w is "are" or "exist" or "exists"));
    }
}
