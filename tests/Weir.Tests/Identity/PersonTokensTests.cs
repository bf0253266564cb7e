using System.Security.Claims;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Keys;

namespace Weir.Tests.Identity;

public sealed class PersonTokensTests
{
    private const string Secret = "a secret of a project, long enough for HS512 too: sixty-four characters and more";
    private static readonly Keyring Ring = Keyring.Parse([Convert.ToBase64String(new byte[32])]);
    private readonly FakeTimeProvider _time =
        new(DateTimeOffset.Parse("2026-11-22T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture));
    private readonly Guid _user = Guid.Parse("01900000-0000-7000-8000-000000000001");

    [Fact]
    public async Task The_embedded_issuers_token_is_good_until_it_expires()
    {
        var tokens = new PersonTokens(new AuthConfig(), Ring, null, null, _time);
        var token = tokens.Issue(_user, "a@b.c");
        (await tokens.VerifyAsync(token, default)).ShouldBe(_user);
        _time.Advance(PersonTokens.Lifetime + TimeSpan.FromMinutes(1));
        await RefusedAsync(tokens, token);
    }

    [Fact]
    public async Task A_projects_token_is_verified_with_its_secret()
    {
        var tokens = new PersonTokens(new AuthConfig { JwtSecret = Secret }, Ring, null, null, _time);
        (await tokens.VerifyAsync(Make(), default)).ShouldBe(_user);
        Should.Throw<InvalidOperationException>(() => tokens.Issue(_user, "a@b.c"));
    }

    [Fact]
    public async Task A08_tokens_that_are_not_for_us_or_not_a_persons_are_refused()
    {
        var tokens =
            new PersonTokens(new AuthConfig { JwtSecret = Secret, Issuer = "https://project.example/auth/v1" }, Ring, null, null, _time);
        (await tokens.VerifyAsync(Make(issuer: "https://project.example/auth/v1"), default)).ShouldBe(_user);
        await RefusedAsync(tokens, Make());
        await RefusedAsync(tokens, Make(issuer: "https://other.example"));
        await RefusedAsync(tokens, Make(issuer: "https://project.example/auth/v1", audience: "other"));
        await RefusedAsync(tokens, Make(issuer: "https://project.example/auth/v1", role: "service_role"));
        await RefusedAsync(tokens, Make(issuer: "https://project.example/auth/v1", role: "anon"));
        await RefusedAsync(
            tokens, Make(issuer: "https://project.example/auth/v1", secret: "another secret, also of 32 characters or more"));
        await RefusedAsync(tokens, "not a token");
        await RefusedAsync(tokens, new string('a', 20_000));
    }

    [Fact]
    public async Task A08_the_algorithm_is_the_configurations_and_never_the_tokens()
    {
        var tokens = new PersonTokens(new AuthConfig { JwtSecret = Secret }, Ring, null, null, _time);
        var parts = Make().Split('.');
        static string Header(string json) => Base64UrlEncoder.Encode(json);
        await RefusedAsync(tokens, $"{Header("""{"alg":"none","typ":"JWT"}""")}.{parts[1]}.");
        await RefusedAsync(tokens, $"{Header("""{"alg":"RS256","typ":"JWT"}""")}.{parts[1]}.{parts[2]}");
        await RefusedAsync(tokens, Make(algorithm: SecurityAlgorithms.HmacSha512));
    }

    [Theory]
    [InlineData("""["exp"]""")]
    [InlineData("""["https://example.test/extension"]""")]
    [InlineData("""["b64"]""")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"exp\"")]
    public async Task F11_a_token_with_a_critical_extension_is_refused_with_a_secret_and_with_published_keys(string crit)
    {
        using var rsa = System.Security.Cryptography.RSA.Create(2048);
        var key = new RsaSecurityKey(rsa) { KeyId = "k1" };
        var jwk = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(rsa.ExportParameters(false)) { KeyId = "k1" });
        var signing =
            new SigningKeys(_ => Task.FromResult($$"""{"keys":[{"kty":"RSA","kid":"k1","n":"{{jwk.N}}","e":"{{jwk.E}}"}]}"""), _time);
        var published = new PersonTokens(
            new AuthConfig { JwksUrl = new Uri("https://issuer.example/jwks"), Issuer = "https://issuer.example" }, Ring, signing, UserOf,
            _time);
        var shared = new PersonTokens(new AuthConfig { JwtSecret = Secret }, Ring, null, null, _time);
        var payload = Make(issuer: "https://issuer.example").Split('.')[1];
        string Rsa(string member) => Sign("RS256", member, payload, text => rsa.SignData(
            text, System.Security.Cryptography.HashAlgorithmName.SHA256, System.Security.Cryptography.RSASignaturePadding.Pkcs1));
        string Hmac(string member) =>
            Sign("HS256", member, payload, text => System.Security.Cryptography.HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), text));

        (await published.VerifyAsync(Rsa(""), default)).ShouldBe(_user, "the same token without crit is good");
        (await shared.VerifyAsync(Hmac(""), default)).ShouldBe(_user, "the same token without crit is good");
        await RefusedAsync(published, Rsa($",\"crit\":{crit}"));
        await RefusedAsync(shared, Hmac($",\"crit\":{crit}"));
        await RefusedAsync(shared, Hmac($",\"\\u0063rit\":{crit}"));
    }

    [Theory]
    [InlineData("a.b.c")]
    [InlineData("..")]
    [InlineData("e30.e30.")]
    [InlineData("eyJcdWQ4MDAiOjF9.e30.e30")] // {"\ud800":1}
    [InlineData("eyJraWQiOiJcdWQ4MDAifQ.e30.e30")] // {"kid":"\ud800"}
    [InlineData("bnVsbA.e30.e30")]
    [InlineData("e30.e30.e30.e30.e30")]
    [InlineData("ey J9.e30.e30")]
    public async Task F06_a_malformed_token_is_refused_with_a_secret_and_with_published_keys(string token)
    {
        var signing = new SigningKeys(_ => Task.FromResult("""{"keys":[]}"""), _time);
        await RefusedAsync(
            new PersonTokens(new AuthConfig { JwksUrl = new Uri("https://issuer.example/jwks"), Issuer = "https://issuer.example" }, Ring,
                signing, UserOf, _time), token);
        await RefusedAsync(new PersonTokens(new AuthConfig { JwtSecret = Secret }, Ring, null, null, _time), token);
    }

    private static string Sign(string algorithm, string member, string payload, Func<byte[], byte[]> sign)
    {
        var text = $"{Base64UrlEncoder.Encode($"{{\"alg\":\"{algorithm}\",\"kid\":\"k1\"{member}}}")}.{payload}";
        return $"{text}.{Base64UrlEncoder.Encode(sign(Encoding.ASCII.GetBytes(text)))}";
    }

    [Fact]
    public async Task Published_keys_are_read_once_and_again_when_a_token_names_another()
    {
        using var rsa = System.Security.Cryptography.RSA.Create(2048);
        var key = new RsaSecurityKey(rsa) { KeyId = "k1" };
        var jwk = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(rsa.ExportParameters(false)) { KeyId = "k1" });
        var reads = 0;
        var jwks = "{\"keys\":[]}";
        var signing = new SigningKeys(_ => { reads++; return Task.FromResult(jwks); }, _time);
        var tokens = new PersonTokens(
            new AuthConfig { JwksUrl = new Uri("https://issuer.example/jwks"), Issuer = "https://issuer.example" }, Ring, signing, UserOf,
            _time);
        var token = Make(issuer: "https://issuer.example", credentials: new SigningCredentials(key, SecurityAlgorithms.RsaSha256));
        await RefusedAsync(tokens, token);
        jwks = $$"""{"keys":[{"kty":"RSA","kid":"k1","n":"{{jwk.N}}","e":"{{jwk.E}}"}]}""";
        await RefusedAsync(tokens, token);
        _time.Advance(TimeSpan.FromMinutes(2));
        (await tokens.VerifyAsync(token, default)).ShouldBe(_user);
        (await tokens.VerifyAsync(token, default)).ShouldBe(_user);
        reads.ShouldBe(2);
        // The public key must not serve as a shared secret.
        await RefusedAsync(tokens, Make(issuer: "https://issuer.example", secret: jwks));
    }

    private string Make(
        string? issuer = null, string audience = "authenticated", string role = "authenticated", string secret = Secret,
        string algorithm = SecurityAlgorithms.HmacSha256, SigningCredentials? credentials = null)
    {
        var now = _time.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            IssuedAt = now,
            Expires = now.AddHours(1),
            Subject = new ClaimsIdentity([new Claim("sub", _user.ToString()), new Claim("role", role)]),
            SigningCredentials = credentials ?? new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(secret)), algorithm),
        });
    }

    /// <summary>As the database answers where the users are the project's.</summary>
    private static ValueTask<Guid> UserOf(string issuer, string subject, string? email, bool verified, CancellationToken ct) =>
        new(Guid.Parse(subject));

    private static async Task RefusedAsync(PersonTokens tokens, string token) =>
        (await Should.ThrowAsync<WeirException>(() => tokens.VerifyAsync(token, default))).Code.ShouldBe(ErrorCode.Unauthenticated);
}
