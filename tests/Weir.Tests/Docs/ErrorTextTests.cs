using System.Text.RegularExpressions;
using Weir.Errors;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>Who gets an error has the address of a Weir and no repository.</summary>
public sealed partial class ErrorTextTests
{
    public static TheoryData<string> Sources => new(Directory.EnumerateFiles(Repository.PathOf("src"), "*.cs", SearchOption.AllDirectories)
        .Concat(Directory.EnumerateFiles(Repository.PathOf("src"), "*.sql", SearchOption.AllDirectories))
        .Concat(Directory.EnumerateFiles(Repository.PathOf("db/migrations"), "*.sql"))
        .Select(file => Path.GetRelativePath(Repository.Root, file)).Where(file => !file.Split('/').Contains("obj")));

    [Theory]
    [MemberData(nameof(Sources))]
    public void No_text_of_the_program_names_a_file_of_the_repository(string file) =>
        File.ReadLines(Repository.PathOf(file)).Where(line => !IsComment(line) && RepositoryFile().IsMatch(line)).ShouldBeEmpty();

    [Theory]
    [InlineData("https://weir.example", "Sign in.", "rest#limits", "Sign in. See https://weir.example/docs/rest#limits")]
    [InlineData("https://weir.example", null, "rest#limits", "See https://weir.example/docs/rest#limits")]
    [InlineData("https://weir.example", "Sign in.", null, "Sign in.")]
    [InlineData(null, "Sign in.", "rest#limits", "Sign in.")]
    [InlineData(null, null, "rest#limits", null)]
    public void A_hint_has_the_whole_address_of_a_page_where_weir_knows_its_own(
    string? publicUrl, string? hint, string? page, string? expected) =>
        new DocsLinks(publicUrl).Hint(hint, page).ShouldBe(expected);

    private static bool IsComment(string line) =>
        line.TrimStart() is var text
            && (text.StartsWith("//", StringComparison.Ordinal) || text.StartsWith("--", StringComparison.Ordinal));

    [GeneratedRegex(@"(?<![/\w])(docs|src|db|deploy|eng|tests)/[\w./-]*\w\.(md|cs|sql|json|sh)\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RepositoryFile();
}
