using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

/// <summary><c>weir user create</c>.</summary>
public sealed class UserCommandTests(RunningWeir weir) : IClassFixture<RunningWeir>, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-user-command-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Whoever_was_made_can_sign_in_and_an_address_is_used_once()
    {
        var (code, output, errors) = await CreateAsync("First@example.org", "correct horse\n", weir.Database.OwnerUrl);

        code.ShouldBe(0, errors);
        using var client = weir.Client(null);
        using var body = new StringContent(
            """{"email":"first@example.org","password":"correct horse"}""", System.Text.Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync("/auth/v1/token?grant_type=password", body, Token);
        var session = JsonElement.Parse(await answer.Content.ReadAsStringAsync(Token));
        session.GetProperty("user").GetProperty("id").GetString().ShouldBe(output.Trim());

        var again = await CreateAsync("first@example.org", "correct horse\n", weir.Database.OwnerUrl);
        (again.ExitCode, again.Output, again.Errors.Trim()).ShouldBe((1, "", "weir: a user with this e-mail address exists"));
    }

    [Theory]
    [InlineData("a@example.org", "short\n", 1, "Password should be at least 8 characters.")]
    [InlineData("no address", "correct horse\n", 1, "Unable to validate email address: invalid format")]
    [InlineData("a@example.org", "", 2, "The password must be the first line of standard input.")]
    public async Task What_is_no_login_is_refused(string email, string input, int exitCode, string error)
    {
        var (code, output, errors) = await CreateAsync(email, input, weir.Database.OwnerUrl);
        (code, output, errors.Trim()).ShouldBe((exitCode, "", "weir: " + error));
    }

    [Fact]
    public async Task Nobody_but_the_owner_makes_people()
    {
        var (code, output, errors) = await CreateAsync("b@example.org", "correct horse\n", weir.Database.EngineUrl);
        (code, output, errors.Trim()).ShouldBe((1, "", "weir: This is not allowed."));
    }

    private async Task<(int ExitCode, string Output, string Errors)> CreateAsync(string email, string input, string ownerUrl)
    {
        var config = Path.Combine(_directory, "weir.json");
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(new { database = new { ownerUrl } }), Token);
        return await RunningUp.RunWithInputAsync(input, "user", "create", email, "--config", config);
    }
}
