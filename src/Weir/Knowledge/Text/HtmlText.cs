using System.Text;
using System.Text.RegularExpressions;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using AngleSharp.Html.Parser.Tokens;
using Weir.Errors;

namespace Weir.Knowledge.Text;

/// <summary>
/// The text of a page that a person sees: no scripts, styles, comments or attributes, and nothing of an element that says itself that it is
/// hidden. What a style sheet hides is not known here. The tree is walked no deeper than the parser makes it.
/// </summary>
internal sealed partial class HtmlText
{
    private const int MaxDepth = 200;

    /// <summary>A page of 2 MiB has a tenth of it; a few bytes can make a parser repeat elements without end.</summary>
    private const int MaxElements = 300_000;

    /// <summary>Most tags that are open at once: the parser looks through all of them for each tag that comes.</summary>
    private const int MaxOpen = 250;

    /// <summary>Tags that have no end, or need none.</summary>
    private static readonly HashSet<string> Unended = new(StringComparer.OrdinalIgnoreCase)
    {
        "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "image", "img", "input", "keygen", "link",
        "meta", "param", "source", "track", "wbr",
        "html", "head", "body", "p", "li", "dt", "dd", "option", "optgroup", "rb", "rp", "rt", "rtc", "colgroup", "thead", "tbody", "tfoot",
        "tr", "td", "th",
    };

    private static readonly HashSet<string> Dropped = new(StringComparer.OrdinalIgnoreCase)
    {
        "script", "style", "noscript", "template", "iframe", "frame", "noframes", "object", "embed", "applet", "svg", "math", "canvas",
        "audio", "video",
        "head", "title", "meta", "link", "input", "textarea", "select", "datalist", "button", "noembed",
    };

    private static readonly HashSet<string> Blocks = new(StringComparer.OrdinalIgnoreCase)
    {
        "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt", "fieldset",
        "figcaption", "figure",
        "footer", "form", "header", "hgroup", "hr", "main", "menu", "nav", "ol", "p", "pre",
        "search", "section", "summary", "table", "tbody", "tfoot", "thead", "ul",
    };

    private readonly List<Section> _sections = [];
    private readonly HeadingPath _path = new();
    private readonly StringBuilder _text = new();

    private HtmlText()
    {
    }

    /// <returns>The page's title, or null, and what stands in it.</returns>
    /// <exception cref="WeirException">WR014: it makes more elements than a page has, or nests them deeper.</exception>
    public static (string? Title, IReadOnlyList<Section> Sections) Read(string html)
    {
        var elements = 0;
        var open = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        var depth = 0;
        var parser = new HtmlParser(new HtmlParserOptions
        {
            IsScripting = true,
            SkipComments = true,
            MaximumDepth = MaxDepth,
            DisableElementPositionTracking = true,
            OnCreated = (_, _) => Limit(++elements, MaxElements, "elements of HTML"),
            OnToken = (token, _) =>
            {
                if (token.Type == HtmlTokenType.StartTag && !Unended.Contains(token.Name))
                {
                    open[token.Name] = open.GetValueOrDefault(token.Name) + 1;
                    Limit(++depth, MaxOpen, "open tags of HTML");
                }
                else if (token.Type == HtmlTokenType.EndTag && open.GetValueOrDefault(token.Name) is var count and > 0)
                {
                    open[token.Name] = count - 1;
                    depth--;
                }
            },
        });
        using var document = parser.ParseDocument(html);
        var reader = new HtmlText();
        if (document.Body is { } body)
        {
            reader.ReadChildren(body, keepsSpace: false);
        }

        reader.Close();
        return (VisibleText.Line(document.Title ?? "") is { Length: > 0 } title ? title : null, reader._sections);
    }

    private static void Limit(int count, int most, string what)
    {
        if (count > most)
        {
            throw new WeirException(ErrorCode.TooLarge, $"content has more than {most} {what}: split the document, or send its text.");
        }
    }

    private void ReadChildren(INode parent, bool keepsSpace)
    {
        // By the list: the next sibling is looked for from the first child on.
        foreach (var node in parent.ChildNodes)
        {
            if (node is IText text)
            {
                Append(text.Data, keepsSpace);
            }
            else if (node is IElement element && !IsHidden(element))
            {
                Read(element, keepsSpace);
            }
        }
    }

    private void Read(IElement element, bool keepsSpace)
    {
        var name = element.LocalName;
        if (name is ['h', >= '1' and <= '6'])
        {
            Close();
            ReadChildren(element, keepsSpace: false);
            var heading = VisibleText.Line(_text.ToString());
            _text.Clear();
            _path.Enter(name[1] - '0', heading);
            return;
        }

        var isBlock = Blocks.Contains(name);
        Break(name switch { "br" or "tr" => "\n", "li" => "\n- ", "td" or "th" => "\t", _ when isBlock => "\n\n", _ => "" });
        ReadChildren(element, keepsSpace || name == "pre");
        Break(isBlock ? "\n\n" : "");
    }

    private void Append(string text, bool keepsSpace)
    {
        if (keepsSpace)
        {
            _text.Append(text);
            return;
        }

        foreach (var c in text)
        {
            if (!IsSpace(c))
            {
                _text.Append(c);
            }
            else if (_text.Length > 0 && !IsSpace(_text[^1]))
            {
                _text.Append(' ');
            }
        }
    }

    /// <summary>Never more than one empty line.</summary>
    private void Break(string mark)
    {
        if (mark.Length == 0)
        {
            return;
        }

        while (_text.Length > 0 && _text[^1] is ' ')
        {
            _text.Length--;
        }

        var breaks = 0;
        while (breaks < _text.Length && _text[_text.Length - 1 - breaks] == '\n')
        {
            breaks++;
        }

        var wanted = mark.Count(c => c == '\n');
        if (_text.Length > 0)
        {
            _text.Append('\n', Math.Max(0, wanted - breaks));
        }

        _text.Append(mark.AsSpan(wanted));
    }

    private void Close()
    {
        if (_text.ToString().Trim() is { Length: > 0 } text)
        {
            _sections.Add(new Section(_path.Text, text));
        }

        _text.Clear();
    }

    private static bool IsSpace(char c) => c is ' ' or '\t' or '\n' or '\r' or '\f';

    private static bool IsHidden(IElement element) =>
        Dropped.Contains(element.LocalName)
        || element.HasAttribute("hidden")
        || (element.LocalName == "dialog" && !element.HasAttribute("open"))
        || (element.GetAttribute("style") is { } style && HidingStyle().IsMatch(style));

    // What is one pixel high, far outside, or of no opacity is not seen either.
    [GeneratedRegex(
        @"(?<![\w-])(display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|content-visibility\s*:\s*hidden|(opacity|font-size|max-height|"
            + @"max-width|height|width|line-height)\s*:\s*0*\.?0+(px|em|rem|pt|%)?\s*(;|!|$)|(text-indent|left|top|right|bottom|"
            + @"margin-left|margin-top)\s*:\s*-\d{3,}|color\s*:\s*transparent|clip\s*:\s*rect\(\s*0|font-size\s*:\s*[01]px)",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex HidingStyle();
}
