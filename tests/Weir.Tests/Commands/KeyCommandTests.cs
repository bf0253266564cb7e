using System.Net;
using System.Text.Json;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

/// <summary><c>weir token</c> and <c>weir agent key</c>, against a running replica and as a person.</summary>
public sealed class KeyCommandTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string Password = "a password for tests";

    private string Url => weir.Url.ToString();

    [Fact]
    public async Task A_person_s_token_makes_a_key_that_works_until_it_is_revoked()
    {
        var (code, token, errors) = await TokenAsync(await OwnerAsync(), Password);
        (code, errors).ShouldBe((0, ""), token);

        (code, var key, errors) =
            await RunningUp.RunAsync(
                "agent", "key", "create", $"{weir.World.AgentId}", "--url", Url, "--token", token.Trim(), "--days", "1");
        (code, errors).ShouldBe((0, ""), key);
        (await PingAsync(key.Trim())).ShouldBe(HttpStatusCode.OK);

        var id = AgentKey.Parse(key.Trim())!.Id;
        (code, var said, errors) = await RunningUp.RunAsync("agent", "key", "revoke", id, "--url", Url, "--token", token.Trim(), "--json");
        (code, errors).ShouldBe((0, ""), said);
        JsonElement.Parse(said).GetProperty("key_id").GetString().ShouldBe(id);
        (await PingAsync(key.Trim())).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Who_may_not_is_told_in_one_line_and_exits_1()
    {
        var email = $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";
        await weir.Database.Owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text(email), Sql.Text(Logins.Hash(Password))], CancellationToken.None);
        var (_, token, _) = await TokenAsync(email, Password);

        var (code, output, errors) =
            await RunningUp.RunAsync("agent", "key", "create", $"{weir.World.AgentId}", "--url", Url, "--token", token.Trim());
        (code, output).ShouldBe((1, ""));
        errors.ShouldStartWith("weir: ");
        errors.ShouldContain("(WR004)");

        (code, output, errors) = await TokenAsync(email, "wrong");
        (code, output).ShouldBe((1, ""));
        errors.Trim().ShouldBe("weir: Invalid login credentials (invalid_credentials)");

        (code, output, _) = await TokenAsync(email, "");
        (code, output).ShouldBe((2, ""));
    }

    private async Task<string> OwnerAsync() =>
        (await weir.Database.Superuser.ScalarAsync<string>(
            "select email from auth.users where id = $1", [Sql.Uuid(weir.World.OwnerId)], CancellationToken.None))!;

    private Task<(int ExitCode, string Output, string Errors)> TokenAsync(string email, string password) =>
        RunningUp.RunWithInputAsync(password + "\n", "token", "--url", Url, "--email", email);

    private async Task<HttpStatusCode> PingAsync(string key)
    {
        using var client = weir.Client(key);
        using var content = new StringContent(
            """{"jsonrpc":"2."""
                + """0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"nam"""
                + """e":"t","version":"1"}}}""", System.Text.Encoding.UTF8, "application/json");
        client.DefaultRequestHeaders.Add("Accept", "application/json, text/event-stream");
        using var response = await client.PostAsync("/mcp", content);
        return response.StatusCode;
    }
}
