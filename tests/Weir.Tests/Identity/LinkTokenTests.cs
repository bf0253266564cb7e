using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Identity;

/// <summary>
/// Attacks on <c>/auth/v1/verify</c> and on changing a password: what a token of a link opens, and what a stolen session can do.
/// </summary>
public sealed class LinkTokenTests(OpenWeir weir) : IClassFixture<OpenWeir>
{
    private const string Password = "a password for tests";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private Logins Logins => weir.Services.GetRequiredService<Logins>();

    [Fact]
    public async Task Of_twenty_requests_with_one_token_at_once_one_is_signed_in()
    {
        var (email, token) = await InviteAsync();
        var recovery = await RecoverAsync(await NewLoginAsync());
        foreach (var (kind, text) in new[] { (LinkTokenKind.Invitation, token), (LinkTokenKind.Recovery, recovery) })
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => ProblemAsync(kind, text)));

            answers.Count(code => code is null).ShouldBe(1, kind.ToString());
            answers.Where(code => code is not null).ShouldAllBe(code => code == "otp_expired");
        }

        (await weir.Database.Superuser.ScalarAsync<long>(
            "select count(*) from auth.users where email = $1", [Sql.Text(email)], Cancelled)).ShouldBe(1);
    }

    [Fact]
    public async Task Two_invitations_of_one_address_at_once_make_one_account()
    {
        var email = NewEmail();
        var tokens = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            var organization =
                (await weir.World.CallAsync("select public.create_organization($1)", Sql.Text($"org {i} {email[..8]}"))).GetProperty("id")
                    .GetGuid();
            tokens.Add(await InviteAsync(organization, email));
        }

        var answers = await Task.WhenAll(tokens.Select(t => ProblemAsync(LinkTokenKind.Invitation, t)));

        answers.Order(StringComparer.Ordinal).ShouldBe([null, "user_already_exists", "user_already_exists", "user_already_exists"]);
        (await weir.Database.Superuser.ScalarAsync<long>(
            "select count(*) from public.organization_members m join auth.users u on u.id = m.user_id where u.email = $1",
            [Sql.Text(email)], Cancelled)).ShouldBe(1);
    }

    [Fact]
    public async Task What_has_not_the_form_of_a_token_is_refused_without_a_statement()
    {
        var address = IPAddress.Parse("203.0.113.77");
        for (var i = 0; i < 200; i++)
        {
            (await RefusedAsync($"garbage {i}")).ShouldBe("otp_expired");
        }

        // Counted, those would have used up what the address has.
        (await RefusedAsync(new string('a', 43))).ShouldBe("otp_expired");

        async Task<string> RefusedAsync(string text) =>
            (await Should.ThrowAsync<AuthException>(Logins.VerifyAsync(LinkTokenKind.Recovery, text, address, Cancelled))).Code;
    }

    [Theory]
    [InlineData("invite")]
    [InlineData("recovery")]
    public async Task Every_token_that_opens_nothing_has_one_answer(string type)
    {
        var (_, revoked) = await InviteAsync();
        await weir.Database.Superuser.ExecuteAsync(
            "update public.organization_invitations set revoked_at = now() where token_hash = $1", [Sql.Bytea(Hash(revoked))], Cancelled);
        var recovery = await RecoverAsync(await NewLoginAsync());
        await weir.Database.Superuser.ExecuteAsync(
            "update weir.recoveries set created_at = now() - interval '1 hour', expires_at = now() - interval '30 minutes' where "
                + "token_hash = $1", [Sql.Bytea(Hash(recovery))], Cancelled);

        var answers = new List<string>();
        foreach (var token in new[]
        {
            NewToken(),
            revoked,
            recovery,
            "",
            "x",
            new string('a', 43),
            new string('a', 5000),
            "' or true --",
            "é" + new string('a', 42),
        })
        {
            var (status, body) = await PostAsync("verify", new { type, token_hash = token });
            status.ShouldBe(HttpStatusCode.Forbidden, body.ToString());
            answers.Add(body.ToString());
        }

        answers.Distinct().ShouldBe(["""{"code":403,"error_code":"otp_expired","msg":"Token has expired or is invalid"}"""]);
    }

    [Theory]
    [InlineData("""{"type": "email", "token_hash": "x"}""", "validation_failed")]
    [InlineData("""{"type": "magiclink", "email": "a@b.c", "token": "123456"}""", "validation_failed")]
    [InlineData("""{"type": ["invite"], "token_hash": "x"}""", "validation_failed")]
    [InlineData("""{"token_hash": "x"}""", "validation_failed")]
    [InlineData("""{"type": "invite", "type": "recovery"}""", "bad_json")]
    [InlineData("""{"type": "invite", "token_hash": "\ud800"}""", "bad_json")]
    [InlineData("""[]""", "bad_json")]
    [InlineData("""{"type": "invite"}""", "otp_expired")]
    [InlineData("""{"type": "invite", "token_hash": {"x": 1}}""", "otp_expired")]
    public async Task A_body_that_names_no_token_is_refused(string body, string code)
    {
        using var client = weir.Client();
        client.DefaultRequestHeaders.Add("X-Forwarded-For", weir.NextAddress().ToString());
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await client.PostAsync("/auth/v1/verify", content, Cancelled);
        JsonElement.Parse(await response.Content.ReadAsStringAsync(Cancelled)).GetProperty("error_code").GetString().ShouldBe(code);
    }

    [Fact]
    public async Task An_invitation_opens_nothing_of_an_account_that_somebody_made_with_the_address()
    {
        // The address is anybody's to sign up with here; and the inviter knows the token.
        var (email, token) = await InviteAsync();
        var victim = await Logins.SignUpAsync(email, Password, weir.NextAddress(), Cancelled);

        (await ProblemAsync(LinkTokenKind.Invitation, token)).ShouldBe("user_already_exists");
        (await weir.Database.Superuser.ScalarAsync<long>(
            "select count(*) from weir.sign_ins where user_id = $1", [Sql.Uuid(victim.User.Id)], Cancelled)).ShouldBe(1);
        (await Logins.PasswordAsync(email, Password, weir.NextAddress(), Cancelled)).User.Id.ShouldBe(victim.User.Id);
    }

    [Fact]
    public async Task Tokens_are_tried_thirty_times_a_minute_from_one_address()
    {
        var address = weir.NextAddress();
        var answers = new List<string?>();
        for (var i = 0; i < 32; i++)
        {
            answers.Add(await ProblemAsync(LinkTokenKind.Recovery, NewToken(), address));
        }

        answers.Count(code => code == "otp_expired").ShouldBe(30);
        answers[30..].ShouldAllBe(code => code == "over_request_rate_limit");
        // Also with a good one, which stays good.
        var good = await RecoverAsync(await NewLoginAsync());
        (await ProblemAsync(LinkTokenKind.Recovery, good, address)).ShouldBe("over_request_rate_limit");
        (await ProblemAsync(LinkTokenKind.Recovery, good)).ShouldBeNull();
    }

    [Fact]
    public async Task A_stolen_session_that_is_old_changes_no_password_and_a_fresh_one_ends_all_others()
    {
        var email = NewEmail();
        var user = await NewLoginAsync(email);
        var (_, old) = await SignInAsync(email, Password);
        await weir.Database.Superuser.ExecuteAsync(
            "update weir.sign_ins set created_at = created_at - interval '16 minutes' where user_id = $1", [Sql.Uuid(user)], Cancelled);

        var (status, body) = await PutAsync(old, new { password = "the thief's password" });
        (status, body.GetProperty("error_code").GetString()).ShouldBe((HttpStatusCode.BadRequest, "reauthentication_needed"));

        var (_, fresh) = await SignInAsync(email, Password);
        (await PutAsync(fresh, new { password = "a new password" })).Status.ShouldBe(HttpStatusCode.OK);
        (await PostAsync(
            "token?grant_type=refresh_token", new { refresh_token = old.GetProperty("refresh_token").GetString() })).Body.GetProperty(
            "error_code").GetString().ShouldBe("session_not_found");
        (await PutAsync(old, new { password = "the thief's password" })).Body.GetProperty("error_code").GetString()
            .ShouldBe("session_not_found");
        (await PostAsync("token?grant_type=refresh_token",
            new { refresh_token = fresh.GetProperty("refresh_token").GetString() })).Status.ShouldBe(HttpStatusCode.OK);
        (await SignInAsync(email, Password)).Status.ShouldBe(HttpStatusCode.BadRequest);
        (await SignInAsync(email, "a new password")).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_token_that_names_no_sign_in_changes_no_password()
    {
        using var client = weir.Client(KnownCallers.PersonToken(weir));
        using var response = await client.PutAsJsonAsync("/auth/v1/user", new { password = "a new password" }, Cancelled);
        response.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Nobody_changes_a_password_without_a_token()
    {
        using var client = weir.Client();
        using var response = await client.PutAsJsonAsync("/auth/v1/user", new { password = "a new password" }, Cancelled);
        response.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    private static string NewEmail() => $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";

    private static string NewToken() =>
        RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 43);

    private static byte[] Hash(string token) => SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(token));

    private async Task<(string Email, string Token)> InviteAsync()
    {
        var email = NewEmail();
        return (email, await InviteAsync(weir.World.OrganizationId, email));
    }

    private async Task<string> InviteAsync(Guid organization, string email)
    {
        var token = NewToken();
        await weir.World.CallAsync(
            "select public.invite_member($1, $2, 'member', $3)", Sql.Uuid(organization), Sql.Text(email), Sql.Text(token));
        return token;
    }

    private Task<Guid> NewLoginAsync(string? email = null) => weir.Database.Owner.ScalarAsync<Guid>(
        "select weir.create_user($1, $2)", [Sql.Text(email ?? NewEmail()), Sql.Text(Logins.Hash(Password))], Cancelled);

    private async Task<string> RecoverAsync(Guid user)
    {
        var token = NewToken();
        await weir.Database.Superuser.ExecuteAsync(
            "insert into weir.recoveries (user_id, token_hash, created_at, expires_at) values ($1, $2, now(), now() + interval '30 "
                + "minutes')", [Sql.Uuid(user), Sql.Bytea(Hash(token))], Cancelled);
        return token;
    }

    private async Task<string?> ProblemAsync(LinkTokenKind kind, string token, IPAddress? address = null)
    {
        try
        {
            await Logins.VerifyAsync(kind, token, address ?? weir.NextAddress(), Cancelled);
            return null;
        }
        catch (AuthException e)
        {
            return e.Code;
        }
    }

    private Task<(HttpStatusCode Status, JsonElement Body)> SignInAsync(string email, string password) =>
        PostAsync("token?grant_type=password", new { email, password });

    private async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, object body)
    {
        using var client = weir.Client();
        client.DefaultRequestHeaders.Add("X-Forwarded-For", weir.NextAddress().ToString());
        using var response = await client.PostAsJsonAsync("/auth/v1/" + path, body, Cancelled);
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync(Cancelled)));
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> PutAsync(JsonElement session, object body)
    {
        using var client = weir.Client(session.GetProperty("access_token").GetString());
        client.DefaultRequestHeaders.Add("X-Forwarded-For", weir.NextAddress().ToString());
        using var response = await client.PutAsJsonAsync("/auth/v1/user", body, Cancelled);
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync(Cancelled)));
    }
}
