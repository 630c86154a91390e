/** What the welcome screen asks the server. */

export {
  clientConfig,
  enterAs,
  forgotPassword,
  resetPassword,
  signIn,
  signUp,
  verifyEmail,
} from "../../lib/api.js";

/** What a server's `client-config` means for this screen. */
export function offers(config) {
  return {
    people: config.development ? config.demo_people.map(({ name }) => name) : [],
    signUp: config.sign_up !== "closed",
    invite: config.sign_up === "invite",
    mail: config.sends_mail === true,
  };
}
