using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>
/// With supabase-js alone, where nobody may sign up: a colleague is invited, follows the link and joins, joins a second organization,
/// forgets the password, and comes back by the operator's recovery.
/// </summary>
public sealed class PeopleTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string Password = "a password for tests";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_colleague_joins_forgets_the_password_and_comes_back()
    {
        var (operatorId, operatorEmail) = await CreateAsync();
        await weir.Database.Owner.ExecuteAsync("select weir.add_platform_admin($1)", [Sql.Uuid(operatorId)], Cancelled);
        await weir.Database.Owner.ExecuteAsync("select weir.set_setting('public_url', '\"https://weir.example\"')", [], Cancelled);
        var (elsewhereId, elsewhereEmail) = await CreateAsync();
        var other =
            (await weir.Database.Users.CallAsync(elsewhereId, "select public.create_organization('Other')", [], Cancelled)).GetProperty(
                "id").GetGuid();
        var ownerEmail = await weir.Database.Superuser.ScalarAsync<string>(
            "select email from auth.users where id = $1", [Sql.Uuid(weir.World.OwnerId)], Cancelled);
        var given = JsonSerializer.Serialize(
            new
            {
                @operator = operatorEmail,
                owner = ownerEmail,
                elsewhere = elsewhereEmail,
                organization = weir.World.OrganizationId,
                other,
            });

        var seen = await NodeScript.RunAsync(
            "people.mjs", [weir.Url.ToString(), weir.Services.GetRequiredService<PersonTokens>().IssueAnonKey(), Password, given],
            node22: true);

        seen.GetProperty("link").GetString()!.ShouldStartWith("https://weir.example/#invitation=");
        Auth(seen, "wrongType").ShouldBe("403 otp_expired");
        Auth(seen, "joined").ShouldBe("colleague@example.test");
        Auth(seen, "again").ShouldBe("403 otp_expired");
        Data(seen, "organizations")[0].GetProperty("id").GetGuid().ShouldBe(weir.World.OrganizationId);
        seen.GetProperty("confirmed").ValueKind.ShouldBe(JsonValueKind.Null, "the token proves a membership and not the address");
        Auth(seen, "weak").ShouldBe("422 weak_password");
        Auth(seen, "otherAttribute").ShouldBe("400 validation_failed");
        Auth(seen, "password").ShouldBe("colleague@example.test");
        Auth(seen, "signIn").ShouldBe("colleague@example.test");
        Data(seen, "members").ToString()
            .ShouldBe("""[{"display_name":"The colleague","email":"colleague@example.test","email_confirmed":false,"role":"member"}]""");
        Data(seen, "membersOfColleague").GetArrayLength().ShouldBe(0);

        Auth(seen, "secondLink").ShouldBe("422 user_already_exists");
        Error(seen, "unconfirmed").ShouldBe("404 WR004");
        seen.GetProperty("unconfirmed").GetProperty("error").GetProperty("hint").GetString()!.ShouldContain("confirm_user_email");
        Data(seen, "listed").GetProperty("rows").GetArrayLength().ShouldBe(1);
        Error(seen, "notOperator").ShouldBe("403 WR003");
        Data(seen, "confirm").GetProperty("email_confirmed_at").ValueKind.ShouldBe(JsonValueKind.String);
        Data(seen, "accepted").GetProperty("role").GetString().ShouldBe("viewer");

        seen.GetProperty("recoveryLink").GetString()!.ShouldStartWith("https://weir.example/#recovery=");
        Auth(seen, "recovered").ShouldBe("colleague@example.test");
        Auth(seen, "recoveredAgain").ShouldBe("403 otp_expired");
        Auth(seen, "newPassword").ShouldBe("colleague@example.test");
        Auth(seen, "oldSession").ShouldBe("400 AuthSessionMissingError");
        Auth(seen, "oldPassword").ShouldBe("400 invalid_credentials");
        Auth(seen, "newSignIn").ShouldBe("colleague@example.test");
        Auth(seen, "made").ShouldBe("made@example.test");
        Auth(seen, "madePassword").ShouldBe("made@example.test");
    }

    private async Task<(Guid Id, string Email)> CreateAsync()
    {
        var id = await World.CreateUserAsync(weir.Database);
        return (id,
            (await weir.Database.Superuser.ScalarAsync<string>("select email from auth.users where id = $1", [Sql.Uuid(id)], Cancelled))!);
    }

    private static JsonElement Data(
        JsonElement seen, string step) => seen.GetProperty(step).GetProperty("data") is { ValueKind: not JsonValueKind.Null } data
        ? data : throw new InvalidOperationException(seen.GetProperty(step).ToString());

    private static string Error(JsonElement seen, string step) =>
        $"{seen.GetProperty(step).GetProperty("status").GetInt32()} {seen.GetProperty(step).GetProperty("error").GetProperty("code")
            .GetString()}";

    /// <summary>Who is signed in, or the refusal.</summary>
    private static string? Auth(
        JsonElement seen, string step) => seen.GetProperty(step).GetProperty("error") is { ValueKind: JsonValueKind.Object } error
        ? $"{error.GetProperty("status").GetInt32()} {error.GetProperty("code").GetString()}"
        : seen.GetProperty(step).GetProperty("user").GetString();
}
